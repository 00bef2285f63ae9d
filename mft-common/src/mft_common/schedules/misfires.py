"""Decide what a due timer does about the times that passed while no worker fired it."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from mft_common.schedules.section import Schedule, of_text

Misfire = Literal["skip", "once", "record"]


@dataclass(frozen=True, kw_only=True)
class Firing:
    """A due time of a timer. `missed` is True where it only reports a time that passed while no worker ran.

    `due_at` and `first_due_at` are milliseconds: the time that this firing stands for, and the first one since the last
    firing. Times between the two were passed over.
    """

    key: str
    payload: str
    due_at: int
    first_due_at: int
    missed: bool = False


def read_due(row: Any, now: int, grace: int) -> tuple[int | None, list[Firing]]:
    """Return the next time of a due timer and what it does now; any error for a row that is damaged."""
    if row.misfire not in get_args(Misfire):
        raise ValueError(f"{row.misfire!r} is no misfire rule")
    schedule = of_text(row.schedule)
    next_at = None if schedule is None else schedule.next_after(now)
    return next_at, _firings(row, schedule, now, grace)


def _firings(row: Any, schedule: Schedule | None, now: int, grace: int) -> list[Firing]:
    """Return what a due timer does: nothing, one firing, or the report of a missed time and a firing."""

    def firing(due_at: int, *, missed: bool = False) -> Firing:
        return Firing(key=row.key, payload=row.payload, due_at=due_at, first_due_at=row.due_at, missed=missed)

    # A firing that failed and is tried again later is no more late than it was at its first try.
    limit = (now if row.tried_at is None else min(now, row.tried_at)) - grace
    latest = _last_time(schedule, row.due_at, now)
    if row.due_at >= limit or row.misfire == "once":
        return [firing(latest)]
    on_time = [firing(latest)] if latest >= limit else []
    if row.misfire == "skip":
        return on_time
    return [firing(_last_time(schedule, row.due_at, limit - 1), missed=True), *on_time]


def _last_time(schedule: Schedule | None, first: int, until: int) -> int:
    """Return the last time of a schedule from its time `first` to `until`, both in milliseconds."""
    if schedule is None:
        return first
    low, high = first, until
    # The last time is the first instant after which there is none until `until`.
    while low < high:
        middle = (low + high) // 2
        following = schedule.next_after(middle)
        if following is not None and following <= until:
            low = following
        else:
            high = middle
    return low
