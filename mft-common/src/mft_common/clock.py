"""Tell the time as the whole hub does: whole milliseconds since the epoch, UTC."""

import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The years 1 to 9999, which ISO 8601 can hold.
FIRST_MS = -62_135_596_800_000
LAST_MS = 253_402_300_799_999


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def iso(at: int) -> str:
    """Render milliseconds as `YYYY-MM-DDThh:mm:ss.sssZ`."""
    seconds, millis = divmod(at, 1000)
    return f"{_iso_second(seconds)}.{millis:03d}Z"


@functools.lru_cache(1024)
def _iso_second(seconds: int) -> str:
    moment = time.gmtime(seconds)
    return (
        f"{moment.tm_year:04d}-{moment.tm_mon:02d}-{moment.tm_mday:02d}T"
        f"{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d}"
    )


def parse_iso(text: str) -> int:
    """Read an ISO 8601 time with a zone as milliseconds; ValueError where there is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
