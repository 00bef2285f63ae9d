"""Show transactions and jobs as tables for people and as JSON for programs."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from crossdock.jobs.access import Listed
from diplomat_svc.domain.calendar import long_time
from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.names import printable, shown_label
from diplomat_svc.domain.transactions import Transaction
from mft_common.joblog import Record

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UTC: Final = ZoneInfo("UTC")


def moment(at: int | None) -> str:
    """Return a time in milliseconds as `2026-03-04T17:45:03Z`, "-" for none."""
    return "-" if at is None else (_EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return lines of columns under a head; no name can break a line."""
    lines = [head, *([printable(text) for text in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def transactions(found: Sequence[Listed]) -> str:
    """Return the table of `transaction list`."""
    rows = ((str(one.id), one.name, one.direction, one.state, *_last(one.job)) for one in found)
    return table(("ID", "NAME", "DIRECTION", "STATE", "LAST JOB", "LAST END"), rows)


def _last(job: Job | None) -> tuple[str, str]:
    return ("-", "-") if job is None else (str(job.sequence), job.completion or job.status)


def transaction_json(one: Listed) -> dict[str, Any]:
    """Return the object of a transaction in `transaction list`."""
    job = None if one.job is None else job_json(one.job)
    return {"id": one.id, "name": one.name, "direction": one.direction, "state": one.state, "job": job}


def definition_json(number: int, one: Transaction) -> dict[str, Any]:
    """Return the object of `transaction show`: the definition as it is stored, which holds no secret."""
    return {**json.loads(one.to_json()), "id": number}


def jobs(found: Sequence[Job]) -> str:
    """Return the table of `job list`."""
    rows = (
        (
            str(one.sequence), one.definition.name, one.status, one.completion or "-", moment(one.scheduled_at),
            moment(one.ended_at), f"{one.successful}/{one.found}", str(one.bytes_done),
        )
        for one in found
    )  # fmt: skip
    return table(("SEQUENCE", "TRANSACTION", "STATUS", "END", "SCHEDULED", "ENDED", "FILES", "BYTES"), rows)


def job_json(one: Job, files: Sequence[FileRecord] | None = None) -> dict[str, Any]:
    """Return the object of a job: times in milliseconds, sizes in bytes."""
    found = {
        "sequence": one.sequence,
        "transaction": one.definition.name,
        "status": one.status,
        "completion": one.completion,
        "reason": one.reason,
        "scheduled_at": one.scheduled_at,
        "began_at": one.began_at,
        "ended_at": one.ended_at,
        "attempt": one.attempt,
        "files_found": one.found,
        "files_successful": one.successful,
        "files_failed": one.failed,
        "bytes_total": one.bytes_total,
        "bytes_done": one.bytes_done,
        "account": one.requester.account,
        "label": shown_label(one.requester.label),
        "transfer_id": one.transfer_id,
    }
    return found if files is None else {**found, "files": [_file_json(file) for file in files]}


def reason(one: Job) -> str:
    """Return the reason of a job's end on one line, "" for none."""
    return printable(one.reason or "")


def _file_json(file: FileRecord) -> dict[str, Any]:
    return {
        "source": file.source,
        "destination": file.destination,
        "status": file.status,
        "completion": file.completion,
        "size": file.size,
        "sha256": file.sha256,
        "retries": file.retries,
        "description": file.description,
    }


def job(one: Job, files: Sequence[FileRecord]) -> str:
    """Return the lines of `job show`: the job's fields, then a table of its files."""
    fields = job_json(one)
    times = {"scheduled_at", "began_at", "ended_at"}
    texts = {
        name: moment(value) if name in times else str("-" if value is None else value) for name, value in fields.items()
    }
    width = max(map(len, texts))
    lines = [f"{name.ljust(width)}  {printable(text)}" for name, text in texts.items()]
    if not files:
        return "\n".join(lines)
    rows = (
        (
            file.source,
            file.destination,
            file.completion or file.status,
            str(file.size),
            file.sha256 or "-",
            file.description or "-",
        )
        for file in files
    )
    return "\n".join((*lines, "", table(("SOURCE", "DESTINATION", "END", "SIZE", "SHA-256", "REASON"), rows)))


def record(one: Record) -> str:
    """Return a record of a log as the API shows it, in UTC."""
    at, severity, text, dropped, _ = one
    message = f"{dropped} older records were deleted." if dropped else text
    return f">{severity} {long_time(at, _UTC)}\n{message}"


def record_json(one: Record) -> dict[str, Any]:
    """Return a record of a log as an object; `dropped` counts older records that a purge deleted."""
    at, severity, text, dropped, _ = one
    return {"at": at, "severity": severity, "text": text, "dropped": dropped}
