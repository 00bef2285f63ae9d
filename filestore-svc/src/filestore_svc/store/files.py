"""Store the rows of files: one for each content, under its name in a folder."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from filestore_svc.domain.files import COLUMN_OF, Folder, StoredFile
from filestore_svc.store import quotas
from filestore_svc.store.tables import (
    attributes,
    deleted_blobs,
    files,
    filesets,
    folders,
    open_reads,
    resumables,
    staged_blobs,
)
from mft_common.database import advisory_lock
from mft_common.database.statements import Connection, Statement

_C = files.c
COLUMNS = tuple(column for column in files.columns if column.name != "folder_id")
_NAMES = tuple(column.name for column in COLUMNS)
_HERE = (_C.folder_id == sa.bindparam("in_folder"), _C.name == sa.bindparam("called"))
_LIVING = sa.or_(_C.expires_at == 0, _C.expires_at > sa.bindparam("now"))
_FIND = Statement(sa.select(*COLUMNS).where(*_HERE, _LIVING))
_NAMED = Statement(sa.select(*COLUMNS).where(*_HERE))
_LOCK = Statement(sa.select(*COLUMNS).where(*_HERE).with_for_update())
_BY_FILESET = Statement(
    sa.select(folders.c.path, *COLUMNS)
    .join(folders, folders.c.id == _C.folder_id)
    .where(_C.fileset == sa.bindparam("wanted"), _LIVING)
)
_CUSTOM = (
    sa.select(attributes.c.key, attributes.c.value)
    .select_from(files.outerjoin(attributes, attributes.c.fileset == _C.fileset))
    .where(_C.fileset == sa.bindparam("wanted"))
    .order_by(attributes.c.key)
)
_INSERT = Statement(sa.insert(files), [column.name for column in files.columns])
_DELETE = Statement(sa.delete(files).where(_C.fileset == sa.bindparam("gone")))
_MARK_DELETED = Statement(sa.insert(deleted_blobs), ["fileset", "deleted_at"])
_ATTRIBUTES = Statement(sa.insert(attributes), ["fileset", "key", "value"])
_READ = Statement(
    sa.update(files)
    .where(_C.fileset == sa.bindparam("was_read"))
    .values(
        accessed_at=sa.bindparam("at"),
        first_read_at=sa.case((_C.first_read_at == 0, sa.bindparam("at")), else_=_C.first_read_at),
        expires_at=sa.case(
            (
                sa.and_(
                    _C.first_read_at == 0,
                    sa.bindparam("until") > 0,
                    sa.or_(_C.expires_at == 0, _C.expires_at > sa.bindparam("until")),
                ),
                sa.bindparam("until"),
            ),
            else_=_C.expires_at,
        ),
    )
)


def of_row(row: Sequence[Any], folder: str) -> StoredFile:
    """Build a file from a row of COLUMNS."""
    values = dict(zip(_NAMES, row, strict=True))
    return StoredFile(path=f"{folder}/{values['name']}", **values)


def find(connection: Connection, folder: Folder, name: str, now: int) -> StoredFile | None:
    """Return the file of that name, None where none exists or it has expired."""
    row = _FIND.first(connection, {"in_folder": folder.id, "called": name, "now": now})
    return None if row is None else of_row(row, folder.path)


def named(connection: Connection, folder: Folder, name: str) -> StoredFile | None:
    """Return the file of that name, also an expired one."""
    row = _NAMED.first(connection, {"in_folder": folder.id, "called": name})
    return None if row is None else of_row(row, folder.path)


def lock(connection: sa.Connection, folder: Folder, name: str) -> StoredFile | None:
    """Return the file of that name, also an expired one; no other transaction changes the name before the commit.

    On PostgreSQL a row lock is not enough: a free name has no row, and of two writers that replace one row the second
    would see neither the old nor the new one. SQLite has one writer at a time. The bytes of a file that goes are given
    back to its quotas, whose lock comes before all others.
    """
    quotas.lock(connection)
    advisory_lock(connection, f"filestore-svc {folder.id}/{name}")
    row = _LOCK.first(connection, {"in_folder": folder.id, "called": name})
    return None if row is None else of_row(row, folder.path)


def add(connection: sa.Connection, folder: Folder, file: StoredFile) -> None:
    """Add a file; its name must be free."""
    values = {name: getattr(file, name) for name in _NAMES}
    values["folder_id"] = folder.id
    _INSERT.run(connection, values)
    if file.custom:
        rows = [{"fileset": file.fileset, "key": key, "value": value} for key, value in file.custom.items()]
        _ATTRIBUTES.run_many(connection, rows)


def remove(connection: sa.Connection, fileset: int, now: int) -> None:
    """Remove a file; the sweeper deletes its blob later, when no reader needs it."""
    quotas.forget_file(connection, fileset)
    _DELETE.run(connection, {"gone": fileset})
    _MARK_DELETED.run(connection, {"fileset": fileset, "deleted_at": now})


@dataclass(frozen=True)
class Read:
    """A download that ended `at`; if it was the first, the file expires at `until`, 0 for never (S28, S29)."""

    fileset: int
    at: int
    until: int


def mark_read(connection: sa.Connection, reads: Sequence[Read]) -> None:
    """Set the dates of downloads, which come in the order of their ends; a content that is gone is left out.

    Rows are updated in the order of their ids, so that two batches never wait for each other in a circle. A file that
    would expire earlier anyway still does. (S29)
    """
    reads = sorted(reads, key=lambda read: read.fileset)
    rows = [{"was_read": read.fileset, "at": read.at, "until": read.until} for read in _first_and_last(reads)]
    if rows:
        _READ.run_many(connection, rows)


def _first_and_last(reads: Iterable[Read]) -> Iterator[Read]:
    """Leave out the downloads between the first and the last one of a content, which set no date; sorted by content."""
    for _, group in itertools.groupby(reads, key=lambda read: read.fileset):
        first, *later = group
        yield first
        yield from later[-1:]


def expired(connection: sa.Connection, now: int, limit: int) -> list[tuple[Folder, str]]:
    """Return expired files by folder (without its access list) and name."""
    query = (
        sa.select(folders.c.id, folders.c.path, _C.name)
        .join(folders, folders.c.id == _C.folder_id)
        .where(_C.expires_at > 0, _C.expires_at <= now)
        .limit(limit)
    )
    return [(Folder(row.id, row.path, None), row.name) for row in connection.execute(query)]


def after(connection: sa.Connection, fileset: int, limit: int) -> list[tuple[int, str, int, str]]:
    """Return fileset, path, size and SHA-256 of the next files after a fileset, hidden ones too."""
    query = (
        sa.select(_C.fileset, (folders.c.path + "/" + _C.name).label("path"), _C.size, _C.sha256)
        .join(folders, folders.c.id == _C.folder_id)
        .where(_C.fileset > fileset)
        .order_by(_C.fileset)
        .limit(limit)
    )
    return [(row.fileset, row.path, row.size, row.sha256) for row in connection.execute(query)]


def custom(connection: sa.Connection, ids: Iterable[int], keys: Iterable[str]) -> dict[int, dict[str, str]]:
    """Return the custom attributes of several files, by fileset and key; only those named in `keys`."""
    found: dict[int, dict[str, str]] = {}
    query = sa.select(attributes).where(attributes.c.fileset.in_(list(ids)), attributes.c.key.in_(list(keys)))
    for fileset, key, value in connection.execute(query):
        found.setdefault(fileset, {})[key] = value
    return found


def by_fileset(connection: Connection, fileset: int, now: int) -> tuple[str, StoredFile] | None:
    """Return a file with the path of its folder; None where it is gone or has expired."""
    row = _BY_FILESET.first(connection, {"wanted": fileset, "now": now})
    return None if row is None else (row[0], of_row(row[1:], row[0]))


def all_custom(connection: sa.Connection, fileset: int) -> dict[str, str] | None:
    """Return all custom attributes of a file by key, None where it is gone."""
    rows = connection.execute(_CUSTOM, {"wanted": fileset}).all()
    return {row.key: row.value for row in rows if row.key is not None} if rows else None


def describe(connection: sa.Connection, fileset: int, given: Mapping[str, str]) -> None:
    """Set fixed and custom attributes; the others stay as they are (45)."""
    fixed = {COLUMN_OF[key]: value for key, value in given.items() if key in COLUMN_OF}
    custom = {key: value for key, value in given.items() if key not in COLUMN_OF}
    if fixed:
        connection.execute(sa.update(files).where(_C.fileset == fileset).values(**fixed))
    if custom:
        old = sa.delete(attributes).where(attributes.c.fileset == fileset, attributes.c.key.in_(list(custom)))
        connection.execute(old)
        rows = [{"fileset": fileset, "key": key, "value": value} for key, value in custom.items()]
        _ATTRIBUTES.run_many(connection, rows)


def take_ids(connection: sa.Connection, count: int) -> range:
    """Take `count` fileset ids; an id is given out once only."""
    query = sa.update(filesets).where(filesets.c.id == 1).values(next=filesets.c.next + count)
    after: int = connection.execute(query.returning(filesets.c.next)).scalar_one()
    return range(after - count, after)


def known(connection: sa.Connection, ids: Iterable[int]) -> set[int]:
    """Return which of `ids` belong to a file, to a deleted one whose blob is not gone yet, or to an upload.

    An upload names its blob before the bytes become durable: a blob that is found in a store, and is not among these,
    gets no row any more.
    """
    wanted = list(ids)
    owners = (files.c.fileset, deleted_blobs.c.fileset, staged_blobs.c.fileset, resumables.c.staged)
    return set(connection.execute(sa.union(*(sa.select(each).where(each.in_(wanted)) for each in owners))).scalars())


def was_committed(connection: sa.Connection, fileset: int) -> bool:
    """Return whether a fileset belongs to a file, or to a deleted one whose blob is not gone yet."""
    owners = (files.c.fileset, deleted_blobs.c.fileset)
    return (
        connection.execute(sa.union(*(sa.select(each).where(each == fileset) for each in owners))).first() is not None
    )


def due_deletions(connection: sa.Connection, deleted_before: int, now: int, limit: int) -> list[tuple[int, int]]:
    """Return blobs whose file was replaced or deleted before that time, and how often their deletion has failed.

    The oldest come first. Left out are those that are being read, and until it is to be tried again, those whose
    deletion has failed.
    """
    gone = deleted_blobs.c
    query = (
        sa.select(gone.fileset, gone.failures)
        .where(gone.deleted_at < deleted_before, gone.retry_at <= now)
        .where(~sa.exists().where(open_reads.c.fileset == gone.fileset))
        .order_by(gone.deleted_at)
        .limit(limit)
    )
    return [(row.fileset, row.failures) for row in connection.execute(query)]


def forget_deleted(connection: sa.Connection, ids: Iterable[int]) -> None:
    """Remove the rows of blobs that were deleted."""
    connection.execute(sa.delete(deleted_blobs).where(deleted_blobs.c.fileset.in_(list(ids))))


def retry_deletion(connection: sa.Connection, fileset: int, failures: int, retry_at: int) -> None:
    """Set how often the deletion of a blob has failed, and when it is tried again."""
    mine = sa.update(deleted_blobs).where(deleted_blobs.c.fileset == fileset)
    connection.execute(mine.values(failures=failures, retry_at=retry_at))
