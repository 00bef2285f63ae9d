"""Find the next instant of a schedule that names local times, over the changes of the zone's clock."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mft_common.schedules.windows import SEARCHED, Window
from mft_common.schedules.zones import instants, local_time, offset

Following = Callable[[datetime], datetime | None]

_DAY_MS: Final = 86_400_000
_TICK: Final = timedelta(microseconds=1)


def next_instant(
    after: int, zone: ZoneInfo, following: Following, window: Window | None, *, both: bool = False
) -> int | None:
    """Return the first instant after `after` (milliseconds) at which a local time of the schedule comes.

    `following` returns the schedule's first local time after a given one. A time that the clock skips comes at the
    first instant after the change. One that comes twice counts the first time, with `both` each time. A window is
    compared with the local time that the schedule names, so that a change of the clock moves nothing out of it.
    """
    inside = following if window is None else _within(following, window)
    try:
        found = _first_pass(after, zone, inside)
        again = _second_pass(after, zone, inside) if both else None
    except OverflowError:
        # The calendar ends with the year 9999.
        return None
    return min((at for at in (found, again) if at is not None), default=None)


def _within(following: Following, window: Window) -> Following:
    def inside(moment: datetime) -> datetime | None:
        found, last = following(moment), moment + SEARCHED
        while found is not None and not window.contains(found):
            if found > last:
                return None
            opening = window.opening(found)
            found = None if opening is None else following(opening - _TICK)
        return found

    return inside


def _first_pass(after: int, zone: ZoneInfo, following: Following) -> int | None:
    """Return the first instant after `after` at which a local time comes for the first time."""
    moment = following(local_time(after, zone))
    while moment is not None and instants(moment, zone)[0] <= after:
        moment = following(moment)
    return None if moment is None else instants(moment, zone)[0]


def _second_pass(after: int, zone: ZoneInfo, following: Following) -> int | None:
    """Return the first instant after `after` of a local time that comes for the second time and has come once."""
    offsets = [offset(at, zone) for at in (after - _DAY_MS, after, after + _DAY_MS)]
    repeated = max(offsets) - min(offsets)
    if not repeated:
        return None
    moment = following(local_time(after, zone) - repeated - _TICK)
    while moment is not None:
        first, *second = instants(moment, zone)
        if first > after:
            return None
        if second and second[0] > after:
            return second[0]
        moment = following(moment)
    return None
