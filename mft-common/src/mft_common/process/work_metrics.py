"""Count and time jobs, managed transfers, calls and executions as they end."""

from typing import Final

from prometheus_client import Counter, Histogram

from mft_common.process.metrics import SECONDS_OF_WORK

ENDED: Final = Counter("mft_work_ended_total", "Pieces of work that ended, by their end.", ["service", "kind", "state"])
SECONDS: Final = Histogram(
    "mft_work_seconds",
    "Seconds from the begin of a piece of work to its end.",
    ["service", "kind"],
    buckets=SECONDS_OF_WORK,
)


def ended(service: str, kind: str, state: str, began_at: int | None, ended_at: int) -> None:
    """Count the end of a piece of work, times in milliseconds; one that never began has no duration."""
    ENDED.labels(service, kind, state).inc()
    if began_at is not None:
        SECONDS.labels(service, kind).observe(max(0, ended_at - began_at) / 1000)
