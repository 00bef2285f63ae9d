"""Keep uploads in pieces from one request to the next."""

from collections.abc import Sequence
from dataclasses import fields

import sqlalchemy as sa

from filestore_svc.domain.resumable import Upload
from filestore_svc.store.tables import pieces, resumables

_C = resumables.c
_COLUMNS = tuple(_C[field.name] for field in fields(Upload))
_FIND = sa.select(*_COLUMNS).where(_C.id == sa.bindparam("wanted"), _C.expires_at > sa.bindparam("now"))
_WRITER = sa.select(_C.writer).where(_C.id == sa.bindparam("wanted"))


def add(connection: sa.Connection, upload: Upload) -> None:
    """Remember a new upload."""
    connection.execute(sa.insert(resumables).values(**vars(upload)))


def find(connection: sa.Connection, identifier: str, now: int) -> Upload | None:
    """Return an upload that has not expired."""
    row = connection.execute(_FIND, {"wanted": identifier, "now": now}).first()
    return None if row is None else Upload(**row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it


def writer(connection: sa.Connection, identifier: str) -> str | None:
    """Return which request may add to an upload."""
    return connection.execute(_WRITER, {"wanted": identifier}).scalar()


def take_over(connection: sa.Connection, upload: Upload, token: str) -> bool:
    """Let the request `token` alone add to an upload; False when it is not any more what it was."""
    unchanged = (_C.id == upload.id, _C.received == upload.received, _C.fileset == 0)
    return connection.execute(sa.update(resumables).where(*unchanged).values(writer=token)).rowcount == 1


def advance(
    connection: sa.Connection, identifier: str, token: str, *, received: int, expires_at: int, names: Sequence[str]
) -> bool:
    """Say how much is durable now, and in which pieces; False when another request has taken over."""
    mine = (_C.id == identifier, _C.writer == token, _C.fileset == 0, _C.received <= received)
    changed = connection.execute(sa.update(resumables).where(*mine).values(received=received, expires_at=expires_at))
    if changed.rowcount != 1:
        return False
    if names:
        connection.execute(sa.insert(pieces), [{"upload": identifier, "name": name} for name in names])
    return True


def complete(connection: sa.Connection, identifier: str, token: str, fileset: int) -> bool:
    """Say which file an upload has become; False when another request has taken over."""
    mine = (_C.id == identifier, _C.writer == token, _C.fileset == 0)
    values = {"received": _C.length, "fileset": fileset}
    return connection.execute(sa.update(resumables).where(*mine).values(values)).rowcount == 1


def pieces_of(connection: sa.Connection, identifier: str) -> list[str]:
    """Return the names of an upload's pieces, in their order."""
    query = sa.select(pieces.c.name).where(pieces.c.upload == identifier).order_by(pieces.c.name)
    return list(connection.execute(query).scalars())


def remove(connection: sa.Connection, identifier: str, *, before: int | None = None) -> Upload | None:
    """Forget an upload, with `before` only one that expires by then; returns what it was."""
    late = sa.true() if before is None else _C.expires_at <= before
    row = connection.execute(sa.delete(resumables).where(_C.id == identifier, late).returning(*_COLUMNS)).first()
    return None if row is None else Upload(**row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it


def expired(connection: sa.Connection, now: int, limit: int) -> list[str]:
    """Return uploads whose time is over."""
    return list(connection.execute(sa.select(_C.id).where(_C.expires_at <= now).limit(limit)).scalars())


def known(connection: sa.Connection, identifiers: Sequence[str]) -> set[str]:
    """Return which of these uploads there are."""
    return set(connection.execute(sa.select(_C.id).where(_C.id.in_(identifiers))).scalars())
