"""Store the schedules of managed transfers, each with a timer of its next time."""

import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common.database import advisory_lock
from mqmft_svc.domain.managed import Schedule
from mqmft_svc.domain.schedules import Plan
from mqmft_svc.domain.submissions import Submission
from mqmft_svc.store.tables import TIMERS, schedule

PREFIX: Final = "schedule/"
_C: Final = schedule.c


def lock(connection: sa.Connection) -> None:
    """Let one transaction at a time change schedules, their timers and the transfers that wait for their time.

    A worker that fires a timer takes this lock first, and so nobody waits for the other in a circle.
    """
    advisory_lock(connection, "mqmft-svc schedules")


def insert(connection: sa.Connection, one: Schedule, plan: Plan, now: int) -> None:
    """Store a new schedule, and its timer."""
    values = {name: getattr(one, name) for name in ("id", "zone", "account", "made_at", "runs", "latest")}
    connection.execute(sa.insert(schedule).values(submission=json.dumps(one.submission.to_json()), **values))
    if plan.repeats is None:
        TIMERS.set_once(connection, f"{PREFIX}{one.id}", plan.first, now)
    else:
        # The next time after this moment is the first one, also where that is this very millisecond.
        TIMERS.set(connection, f"{PREFIX}{one.id}", plan.repeats, min(now, plan.first - 1), misfire="once")


def count(connection: sa.Connection) -> int:
    """Return how many schedules are not over."""
    return connection.execute(sa.select(sa.func.count()).select_from(schedule)).scalar_one()


def find(connection: sa.Connection, id_: str) -> Schedule | None:
    """Return a schedule; the caller that changes it holds the lock."""
    row = connection.execute(sa.select(schedule).where(_C.id == id_)).one_or_none()
    return None if row is None else _schedule(row)


def fetch(connection: sa.Connection) -> Sequence[tuple[Schedule, int | None]]:
    """Return the schedules, each with its next time; the next one to run comes first."""
    times = TIMERS.next_times(connection, PREFIX)
    found = [_schedule(row) for row in connection.execute(sa.select(schedule))]
    timed = [(one, times.get(f"{PREFIX}{one.id}")) for one in found]
    return sorted(timed, key=lambda pair: (pair[1] is None, pair[1], pair[0].id))


def count_run(connection: sa.Connection, id_: str, transfer: str) -> None:
    """Note that the time of a transfer has come; a schedule that has no further time is deleted."""
    if TIMERS.times_of(connection, [f"{PREFIX}{id_}"]):
        values = {"runs": _C.runs + 1, "latest": transfer}
        connection.execute(sa.update(schedule).where(_C.id == id_).values(values))
    else:
        connection.execute(sa.delete(schedule).where(_C.id == id_))


def delete(connection: sa.Connection, id_: str) -> None:
    """Delete a schedule and its timer; one that is not there is no error."""
    TIMERS.remove(connection, f"{PREFIX}{id_}")
    connection.execute(sa.delete(schedule).where(_C.id == id_))


def _schedule(row: Any) -> Schedule:
    values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's documented way to a row's names
    return Schedule(**{**values, "submission": Submission.from_json(json.loads(values["submission"]))})
