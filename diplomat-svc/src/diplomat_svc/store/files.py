"""Store the records of the files of jobs."""

import dataclasses
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from diplomat_svc.domain.jobs import FileRecord
from diplomat_svc.domain.states import INCOMPLETE
from diplomat_svc.store.tables import files
from mft_common.database.statements import Statement

_C = files.c
_NAMES = tuple(field.name for field in dataclasses.fields(FileRecord))
_NONE: Final = "[]"
_NO_COPIES: Final = "{}"
_COLUMNS: Final = ("sequence", *_NAMES)


# NUL, which PostgreSQL refuses, and the surrogates that stand for no byte of a name.
_UNFIT: Final = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")


def storable(text: str) -> str:
    """Return a name as text that a column can hold: NUL and bytes that are no UTF-8 become U+FFFD (A60)."""
    return _UNFIT.sub("\ufffd", text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _file(row: Any) -> FileRecord:
    return _file_of([getattr(row, name) for name in _NAMES])


def _values(file: FileRecord, columns: Sequence[str]) -> dict[str, Any]:
    """Return columns as they are stored. The names are ASCII in JSON, so that any bytes in them come back."""
    values = {name: getattr(file, name) for name in columns}
    for name in ("temporaries", "archived"):
        if name in values:
            values[name] = json.dumps(values[name])
    return values


def begin(connection: sa.Connection, sequence: int, file: FileRecord) -> None:
    """Insert a file's record, before its temporary file is made (E20); one of the same place is replaced."""
    values = _values(file, _NAMES)
    values |= {"source": storable(file.source), "destination": storable(file.destination)}
    _begin(connection.dialect.name).run(connection, {"sequence": sequence, **values})


@lru_cache(maxsize=2)
def _begin(dialect: str) -> Statement:
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    row = insert(files)
    again = {name: row.excluded[name] for name in _NAMES}
    return Statement(row.on_conflict_do_update(index_elements=[_C.sequence, _C.place], set_=again), _COLUMNS)


def change(connection: sa.Connection, sequence: int, file: FileRecord, columns: Sequence[str]) -> None:
    """Write columns of one file."""
    values = {f"new_{name}": value for name, value in _values(file, columns).items()}
    _change(tuple(columns)).run(connection, {**values, "job": sequence, "at": file.place})


@lru_cache(maxsize=16)
def _change(columns: tuple[str, ...]) -> Statement:
    mine = (_C.sequence == sa.bindparam("job", type_=sa.BigInteger), _C.place == sa.bindparam("at", type_=sa.Integer))
    values = {name: sa.bindparam(f"new_{name}", type_=_C[name].type) for name in columns}
    return Statement(sa.update(files).where(*mine).values(values))


def temporaries(connection: sa.Connection, sequence: int) -> tuple[str, ...]:
    """Return the names of the unfinished copies that a job may have at its destination."""
    some = (_C.sequence == sequence, _C.temporaries != "[]")
    rows = connection.execute(sa.select(_C.temporaries).where(*some).order_by(_C.place)).scalars()
    return tuple(name for row in rows for name in json.loads(row))


def unrecorded(connection: sa.Connection, sequence: int) -> tuple[tuple[str, str], ...]:
    """Return source and destination of the files of a job that ended before the end of the files was written."""
    some = (_C.sequence == sequence, _C.completion == INCOMPLETE, _C.sha256.is_(None))
    rows = connection.execute(sa.select(_C.source, _C.destination).where(*some).order_by(_C.place))
    return tuple((row.source, row.destination) for row in rows)


def of_job(connection: sa.Connection, sequence: int) -> tuple[FileRecord, ...]:
    """Return the files of one job in order."""
    rows = connection.execute(sa.select(files).where(_C.sequence == sequence).order_by(_C.place))
    return tuple(_file(row) for row in rows)


def _file_of(row: Sequence[Any]) -> FileRecord:
    values = dict(zip(_NAMES, row, strict=True))
    given, archived = values["temporaries"], values["archived"]
    values["temporaries"] = () if given == _NONE else tuple(json.loads(given))
    values["archived"] = {} if archived == _NO_COPIES else _by_archive(json.loads(archived))
    return FileRecord(**values)


def _by_archive(document: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {which: tuple(names) for which, names in document.items()}


def abandon(connection: sa.Connection, sequence: int, completion: str, now: int) -> None:
    """End the files that were not over when their job ended."""
    unfinished = (_C.sequence == sequence, _C.ended_at.is_(None))
    values = {"status": "Complete", "completion": completion, "ended_at": now}
    connection.execute(sa.update(files).where(*unfinished).values(**values))
