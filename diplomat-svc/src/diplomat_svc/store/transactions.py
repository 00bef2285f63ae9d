"""Store the transactions; an id is never given to a second one."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from diplomat_svc.domain.states import QUEUED
from diplomat_svc.domain.transactions import NOT_SCHEDULED, Transaction
from diplomat_svc.store import change_clock
from diplomat_svc.store.tables import jobs, transactions

_C = transactions.c


@dataclass(frozen=True)
class StoredTransaction:
    """A transaction with its id."""

    id: int
    definition: Transaction


def find(connection: sa.Connection, *, number: int | None = None, name: str | None = None) -> StoredTransaction | None:
    """Return a transaction that is not removed, by its id or else by its name."""
    by = _C.id == number if number is not None else _C.name == name
    row = connection.execute(sa.select(_C.id, _C.definition).where(by, sa.not_(_C.removed))).one_or_none()
    return None if row is None else StoredTransaction(row.id, Transaction.from_json(row.definition))


def count_queued(connection: sa.Connection, number: int) -> int:
    """Count the queued jobs of a transaction."""
    mine = (jobs.c.transaction_id == number, jobs.c.status == QUEUED)
    return connection.execute(sa.select(sa.func.count()).select_from(jobs).where(*mine)).scalar_one()


def apply(connection: sa.Connection, wanted: Iterable[Transaction], now: int) -> list[str]:
    """Bring the table to the configured transactions; return problems, on which the caller rolls back.

    A name keeps its id; a definition with a known id and another name renames; a transaction that is not configured
    any more is marked removed and keeps its jobs. Only a real change gets a new stamp, so that every process may apply
    at its start.
    """
    # The clock's row comes before the rows of transactions, as everywhere: else a worker that takes a job could wait
    # for one of them while this waits for the clock.
    change_clock.lock(connection)
    rows = {row.id: row for row in connection.execute(sa.select(transactions))}
    ids = {row.name: row.id for row in rows.values() if not row.removed}
    problems: list[str] = []
    given = {one.id for one in wanted if one.id is not None}
    present: set[int] = set()
    highest = max([0, *rows, *given])
    for place, one in enumerate(wanted):
        number = one.id if one.id is not None else ids.get(one.name)
        if one.id is not None and ids.get(one.name, one.id) != one.id:
            problems.append(f"transactions.{place}.id: {one.name} has the id {ids[one.name]}, which is kept for ever")
            continue
        if number is None or (one.id is None and number in given):
            highest += 1
            number = highest
        present.add(number)
        values = {
            "name": one.name,
            "direction": one.direction,
            "state": NOT_SCHEDULED,
            "definition": one.to_json(),
            "removed": False,
        }
        row = rows.get(number)
        if row is None:
            new = {"id": number, **values, "stamp": change_clock.advance(connection, now)}
            connection.execute(sa.insert(transactions).values(**new))
        elif any(getattr(row, name) != value for name, value in values.items()):
            visible = any(getattr(row, name) != values[name] for name in ("name", "direction", "state", "removed"))
            stamp = change_clock.advance(connection, now) if visible else row.stamp
            connection.execute(sa.update(transactions).where(_C.id == number).values(**values, stamp=stamp))
    removed = [number for number, row in rows.items() if number not in present and not row.removed]
    if removed:
        connection.execute(sa.update(transactions).where(_C.id.in_(removed)).values(removed=True))
    return problems
