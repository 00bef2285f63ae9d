"""Write times as the logs and summaries show them, in English whatever the locale (58, A58)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def long_time(at: int, zone: ZoneInfo) -> str:
    """Return `March 4, 2026 5:45:03 PM EST` for a time in milliseconds."""
    return _long_time(at // 1000, zone)


@lru_cache(maxsize=1024)
def _long_time(seconds: int, zone: ZoneInfo) -> str:
    local = (_EPOCH + timedelta(seconds=seconds)).astimezone(zone)
    half, hour = ("PM" if local.hour >= 12 else "AM"), local.hour % 12 or 12
    day = f"{_MONTHS[local.month - 1]} {local.day}, {local.year}"
    return f"{day} {hour}:{local.minute:02d}:{local.second:02d} {half} {local.tzname()}"


def compact_time(at: int, zone: ZoneInfo) -> str:
    """Return `yyyyMMdd.HHmmss` for a time in milliseconds (45)."""
    local = (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)
    return f"{local.year:04d}{local.month:02d}{local.day:02d}.{local.hour:02d}{local.minute:02d}{local.second:02d}"
