"""Store which members of an archive are delivered, as long as its job is not over: no attempt delivers them again."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from diplomat_svc.domain.jobs import MemberRecord
from diplomat_svc.store.tables import files, members
from mft_common.database.statements import Statement

_C = members.c
_COLUMNS: Final = tuple(column.name for column in _C)
_KEY: Final = ("sequence", "place", "number")
# Stored as JSON.
_LISTS: Final = ("warnings", "archived")


def add(connection: sa.Connection, sequence: int, place: int, member: MemberRecord) -> None:
    """Insert a member of the file at `place`; one of the same number, which was of another archive, is replaced."""
    values = vars(member) | {name: json.dumps(getattr(member, name)) for name in _LISTS}
    _add(connection.dialect.name).run(connection, {"sequence": sequence, "place": place, **values})


@lru_cache(maxsize=2)
def _add(dialect: str) -> Statement:
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    row = insert(members)
    again = {name: row.excluded[name] for name in _COLUMNS if name not in _KEY}
    return Statement(row.on_conflict_do_update(index_elements=[_C[name] for name in _KEY], set_=again), _COLUMNS)


def find(connection: sa.Connection, sequence: int, place: int, number: int, sha256: str) -> MemberRecord | None:
    """Return a delivered member of the archive at `place` with this content; None where it is not delivered."""
    mine = (_C.sequence == sequence, _C.place == place, _C.number == number, _C.archive_sha256 == sha256)
    row = connection.execute(sa.select(members).where(*mine)).mappings().one_or_none()
    if row is None:
        return None
    values = {name: value for name, value in row.items() if name not in ("sequence", "place")}
    return MemberRecord(**values | {name: tuple(json.loads(values[name])) for name in _LISTS})


def archived(connection: sa.Connection, sequence: int, place: int, number: int, which: str) -> None:
    """Write that a copy of a member is in an archive of the transaction."""
    mine = (_C.sequence == sequence, _C.place == place, _C.number == number)
    before = json.loads(connection.execute(sa.select(_C.archived).where(*mine)).scalar_one())
    if which not in before:
        connection.execute(sa.update(members).where(*mine).values(archived=json.dumps([*before, which])))


def taken(connection: sa.Connection, sequence: int, place: int, names: Sequence[str]) -> dict[str, str]:
    """Return those of `names` that members of the job's other archives have at the destination, with these archives."""
    whose = sa.and_(files.c.sequence == _C.sequence, files.c.place == _C.place)
    others = (_C.sequence == sequence, _C.place != place, _C.destination.in_(names))
    rows = connection.execute(sa.select(_C.destination, files.c.source).join_from(members, files, whose).where(*others))
    return {row.destination: row.source for row in rows}


def remove(connection: sa.Connection, sequence: int) -> None:
    """Delete the members of a job that is over."""
    connection.execute(sa.delete(members).where(_C.sequence == sequence))
