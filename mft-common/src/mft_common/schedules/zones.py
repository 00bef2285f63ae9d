"""Convert between milliseconds and the local times of a zone, over the changes of its clock."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def time_zone(name: str) -> ZoneInfo:
    """Return the zone of an IANA name such as `Europe/Amsterdam`; ValueError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone such as UTC or Europe/Amsterdam") from error


def local_time(at: int, zone: ZoneInfo) -> datetime:
    """Return what a clock on the wall shows at `at` milliseconds, without a zone."""
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone).replace(tzinfo=None, fold=0)


def offset(at: int, zone: ZoneInfo) -> timedelta:
    """Return how far the local time is ahead of UTC at `at` milliseconds."""
    difference = (_EPOCH + timedelta(milliseconds=at)).astimezone(zone).utcoffset()
    assert difference is not None
    return difference


def instants(moment: datetime, zone: ZoneInfo) -> tuple[int, ...]:
    """Return when a local time comes, in milliseconds: once, or twice where the clock is set back over it.

    A time that the clock skips comes at the first instant after the change.
    """
    early = moment.replace(tzinfo=zone, fold=0)
    late = moment.replace(tzinfo=zone, fold=1)
    first, second = _milliseconds(early), _milliseconds(late)
    if first == second:
        return (first,)
    if first < second:
        return first, second
    # In a gap fold=0 counts with the offset before the change, so it names an instant after it, and fold=1 one before.
    return (change_between(second, first, zone),)


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def change_between(low: int, high: int, zone: ZoneInfo) -> int:
    """Return the first instant after `low` that has the offset of `high`."""
    before = offset(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high
