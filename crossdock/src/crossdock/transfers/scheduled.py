"""Show schedules of transfers as a table for people, and as objects for programs."""

from collections.abc import Sequence
from typing import Any, Final

from crossdock.jobs.printing import moment, table
from crossdock.transfers.printing import short
from mft_common.clock import iso
from mqmft_svc.domain.managed import Schedule
from mqmft_svc.domain.schedules import ScheduleRequest

_HEAD: Final = ("ID", "NEXT", "REPEATS", "ZONE", "RUNS", "FROM", "TO", "JOB", "ACCOUNT", "LATEST")


def as_table(found: Sequence[tuple[Schedule, int | None]]) -> str:
    """Return the table of `schedule list`."""
    rows = (
        (
            short(one.id), moment(next_at), _repeats(one.submission.schedule), one.zone, str(one.runs),
            one.submission.source_agent.name, one.submission.destination_agent.name, one.submission.job_name or "-",
            one.account, short(one.latest) or "-",
        )
        for one, next_at in found
    )  # fmt: skip
    return table(_HEAD, rows)


def as_json(found: Sequence[tuple[Schedule, int | None]]) -> list[dict[str, Any]]:
    """Return the objects of `schedule list`; `scheduleTransfer` is as the request stated it, or its default."""
    return [_object(one, next_at) for one, next_at in found]


def _object(one: Schedule, next_at: int | None) -> dict[str, Any]:
    return {
        "id": one.id,
        "next": "" if next_at is None else iso(next_at),
        "zone": one.zone,
        "runs": one.runs,
        "latest": one.latest,
        "made": iso(one.made_at),
        "account": one.account,
        "sourceAgent": one.submission.source_agent.name,
        "destinationAgent": one.submission.destination_agent.name,
        "job": one.submission.job_name,
        "scheduleTransfer": {} if one.submission.schedule is None else _stated(one.submission.schedule),
    }


def _stated(request: ScheduleRequest) -> dict[str, Any]:
    found: dict[str, Any] = {"startTime": request.start, "timeBase": request.time_base}
    if request.interval:
        found |= {"occurrenceInterval": request.interval, "occurrenceFrequency": request.frequency}
    if request.count is not None:
        found["occurrenceCount"] = request.count
    if request.end:
        found["endTime"] = request.end
    return found


def _repeats(request: ScheduleRequest | None) -> str:
    """Return how often, how many times and until when: `2 days, 10 times, until 2026-12-01T06:00`; "once"."""
    if request is None or not request.interval:
        return "once"
    parts = [f"{request.frequency} {request.interval}"]
    if request.count is not None:
        parts.append(f"{request.count} times")
    if request.end:
        parts.append(f"until {request.end}")
    return ", ".join(parts)
