"""Persist resumable uploads between requests."""

from collections.abc import Sequence
from dataclasses import fields

import sqlalchemy as sa

from filestore_svc.domain.resumable import Upload
from filestore_svc.store.owned_rows import OwnedRows
from filestore_svc.store.tables import pieces, resumables

_C = resumables.c
# The completions under way, by the id of the upload.
owned = OwnedRows(_C.id, _C.state == "completing")
_IDS_AT_ONCE = 1000
_COLUMNS = tuple(_C[field.name] for field in fields(Upload))
_COMPLETING = ("received", "staged", "process", "lease_until", "digested", "digest_state")
_FIND = sa.select(*_COLUMNS).where(_C.id == sa.bindparam("wanted"), _C.expires_at > sa.bindparam("now"))
_WRITER = sa.select(_C.writer).where(_C.id == sa.bindparam("wanted"))


def add(connection: sa.Connection, upload: Upload) -> None:
    """Insert a new upload."""
    connection.execute(sa.insert(resumables).values(**vars(upload)))


def find(connection: sa.Connection, identifier: str, now: int) -> Upload | None:
    """Return an upload that has not expired."""
    return _of(connection.execute(_FIND, {"wanted": identifier, "now": now}).first())


def writer(connection: sa.Connection, identifier: str) -> str | None:
    """Return which request may append to an upload."""
    return connection.execute(_WRITER, {"wanted": identifier}).scalar()


def take_over(connection: sa.Connection, upload: Upload, token: str) -> bool:
    """Let only the request `token` append to an upload; False when the upload has changed."""
    unchanged = (_C.received == upload.received, _C.state == "receiving")
    return _update(connection, upload.id, *unchanged, writer=token)


def advance(connection: sa.Connection, advanced: Upload, token: str, names: Sequence[str]) -> bool:
    """Record how many bytes are durable, and in which new objects; False when another request has taken over."""
    mine = (_C.writer == token, _C.state == "receiving", _C.received <= advanced.received)
    changed = {name: getattr(advanced, name) for name in ("received", "expires_at", "digested", "digest_state")}
    if not _update(connection, advanced.id, *mine, **changed):
        return False
    _add_pieces(connection, advanced.id, names)
    return True


def begin_completion(connection: sa.Connection, completing: Upload, token: str, names: Sequence[str]) -> bool:
    """Record that all bytes are durable and that `completing.process` completes the upload; False when overtaken."""
    changed = {name: getattr(completing, name) for name in _COMPLETING}
    mine = (_C.writer == token, _C.state == "receiving")
    if not _update(connection, completing.id, *mine, state="completing", expires_at=completing.expires_at, **changed):
        return False
    _add_pieces(connection, completing.id, names)
    return True


def take_completion(connection: sa.Connection, upload: Upload, taken: Upload) -> bool:
    """Continue the completion of a dead process under another blob; False when another process has done so."""
    unchanged = (_C.state == "completing", _C.process == upload.process, _C.lease_until == upload.lease_until)
    changed = {name: getattr(taken, name) for name in ("staged", "process", "lease_until")}
    return _update(connection, upload.id, *unchanged, **changed)


def release_completion(connection: sa.Connection, identifier: str, staged: int) -> bool:
    """Leave a completion to the next request that asks for it; False where another one has it, or it was ended."""
    mine = (_C.state == "completing", _C.staged == staged)
    return _update(connection, identifier, *mine, staged=0, process="", lease_until=0)


def renew(connection: sa.Connection, process: str, now: int, lease_until: int) -> None:
    """Extend the leases of all completions of a process; one that lapsed before `now` is never revived."""
    owned.renew(connection, process, now, lease_until)


def seal(connection: sa.Connection, identifier: str, staged: int, sha256: str) -> bool:
    """Record that the blob `staged` holds all bytes durably; False when the completion was lost."""
    mine = (_C.state == "completing", _C.staged == staged)
    return _update(connection, identifier, *mine, state="sealed", sha256=sha256, process="", lease_until=0)


def complete(connection: sa.Connection, identifier: str, fileset: int, *, sha256: str, expires_at: int) -> bool:
    """Record that an upload has become a file; False unless `fileset` is its staged blob and was not committed yet."""
    mine = (_C.staged == fileset, _C.state.in_(("completing", "sealed")))
    values = {"state": "complete", "received": _C.length, "fileset": fileset, "sha256": sha256, "staged": 0}
    return _update(connection, identifier, *mine, process="", expires_at=expires_at, **values)


def set_replaced(connection: sa.Connection, identifier: str, fileset: int) -> None:
    """Record which fileset the file of a complete upload has replaced."""
    _update(connection, identifier, replaced=fileset)


def pieces_of(connection: sa.Connection, identifier: str) -> list[str]:
    """Return the names of an upload's objects, in their order."""
    query = sa.select(pieces.c.name).where(pieces.c.upload == identifier).order_by(pieces.c.name)
    return list(connection.execute(query).scalars())


def remove(
    connection: sa.Connection, identifier: str, *, before: int | None = None, staged: int | None = None
) -> Upload | None:
    """Delete an upload and return it as it was; with `before` only one that expires by then.

    With `staged` only one that is being made that blob.
    """
    late = sa.true() if before is None else _C.expires_at <= before
    ours = sa.true() if staged is None else _C.staged == staged
    query = sa.delete(resumables).where(_C.id == identifier, late, ours).returning(*_COLUMNS)
    return _of(connection.execute(query).first())


def unfinished(connection: sa.Connection, token: str, folder: str) -> list[Upload]:
    """Return the uploads of a token to a file, into a folder or one below it, that were not committed."""
    query = sa.select(*_COLUMNS).where(_C.token == token, _C.state != "complete")
    found = [Upload(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 -- SQLAlchemy's public name
    return [upload for upload in found if f"{upload.folder}/".startswith(f"{folder}/") or upload.path == folder]


def expired(connection: sa.Connection, now: int, limit: int) -> list[str]:
    """Return uploads that have expired."""
    return list(connection.execute(sa.select(_C.id).where(_C.expires_at <= now).limit(limit)).scalars())


def known(connection: sa.Connection, identifiers: Sequence[str]) -> set[str]:
    """Return those of the uploads that exist."""
    found: set[str] = set()
    # A statement of PostgreSQL has at most 65,535 parameters.
    for start in range(0, len(identifiers), _IDS_AT_ONCE):
        some = identifiers[start : start + _IDS_AT_ONCE]
        found.update(connection.execute(sa.select(_C.id).where(_C.id.in_(some))).scalars())
    return found


def _update(connection: sa.Connection, identifier: str, *conditions: sa.ColumnElement[bool], **values: object) -> bool:
    changed = connection.execute(sa.update(resumables).where(_C.id == identifier, *conditions).values(**values))
    return changed.rowcount == 1


def _add_pieces(connection: sa.Connection, identifier: str, names: Sequence[str]) -> None:
    if names:
        connection.execute(sa.insert(pieces), [{"upload": identifier, "name": name} for name in names])


def _of(row: sa.Row[tuple[object, ...]] | None) -> Upload | None:
    return None if row is None else Upload(**row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
