"""Store the transactions; an id is never given to a second one."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from diplomat_svc.domain.states import WAITING
from diplomat_svc.domain.transactions import SCHEDULED, Transaction
from diplomat_svc.store import change_clock, timers
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


def triggered_by(connection: sa.Connection, folder: str) -> list[StoredTransaction]:
    """Return the transactions for which a new file in a folder of the hub's own store may start a job."""
    mine = sa.select(_C.id, _C.definition).where(_C.trigger_folder == folder, sa.not_(_C.removed)).order_by(_C.id)
    return [StoredTransaction(row.id, Transaction.from_json(row.definition)) for row in connection.execute(mine)]


def count_queued(connection: sa.Connection, number: int) -> int:
    """Count the jobs of a transaction that wait, delayed ones among them."""
    mine = (jobs.c.transaction_id == number, jobs.c.status.in_(WAITING))
    return connection.execute(sa.select(sa.func.count()).select_from(jobs).where(*mine)).scalar_one()


def apply(connection: sa.Connection, wanted: Iterable[Transaction], now: int) -> list[str]:
    """Bring the table to the configured transactions; return problems, on which the caller rolls back.

    A name keeps its id; a definition with a known id and another name renames; a transaction that is not configured
    any more is marked removed and keeps its jobs. Only a real change gets a new stamp, so that every process may apply
    at its start. The timers of the schedules are made, changed and deleted with them.
    """
    # The clock's row comes before the rows of transactions, as everywhere: else a worker that takes a job could wait
    # for one of them while this waits for the clock.
    change_clock.lock(connection)
    rows = {row.id: row for row in connection.execute(sa.select(transactions))}
    ids = {row.name: row.id for row in rows.values() if not row.removed}
    problems: list[str] = []
    given = {one.id for one in wanted if one.id is not None}
    present: set[int] = set()
    scheduled: dict[int, Transaction] = {}
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
        if one.state == SCHEDULED:
            scheduled[number] = one
        values = {
            "name": one.name,
            "direction": one.direction,
            "state": one.state,
            "definition": one.to_json(),
            "removed": False,
            "trigger_folder": one.trigger.folder if one.trigger is not None and one.enabled else None,
        }
        row = rows.get(number)
        if row is None:
            new = {"id": number, **values, "stamp": change_clock.advance(connection, now)}
            connection.execute(sa.insert(transactions).values(**new))
        elif any(getattr(row, name) != value for name, value in values.items()):
            visible = any(getattr(row, name) != values[name] for name in ("name", "direction", "state", "removed"))
            # With another schedule its next time is another one (A40).
            visible = visible or Transaction.from_json(row.definition).schedule != one.schedule
            stamp = change_clock.advance(connection, now) if visible else row.stamp
            connection.execute(sa.update(transactions).where(_C.id == number).values(**values, stamp=stamp))
    removed = [number for number, row in rows.items() if number not in present and not row.removed]
    if removed:
        connection.execute(sa.update(transactions).where(_C.id.in_(removed)).values(removed=True))
    timers.apply(connection, scheduled, now)
    return problems
