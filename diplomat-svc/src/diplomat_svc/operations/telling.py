"""Tell the other services what happens to a job, in the transaction in which it happens (E4, E5)."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import (
    COMPLETE,
    NOT_FOUND,
    SUCCESSFUL,
    TRANSFER_STATES,
    WARNING,
    FileRecord,
    Job,
)
from diplomat_svc.domain.names import shown_label
from diplomat_svc.store.tables import OUTBOX
from mft_common.events import (
    Agent,
    Item,
    JobChanged,
    Originator,
    Side,
    Totals,
    TransferEnded,
    TransferProgressed,
    TransferStarted,
)

_PROTOCOL: Final = "diplomat"
_AGENT: Final = Agent(name="DIPLOMAT")
_MOST_ITEMS: Final = 1000


def folder_of(url: str) -> str:
    """Return the folder that a URL names, without its scheme."""
    return url.partition(":")[2].rstrip("/")


def scheduled(connection: sa.Connection, job: Job, host: str) -> None:
    """Tell of a new job."""
    OUTBOX.add(connection, TransferStarted(state="started", **_head(job, host)), _changed(job))


def began(connection: sa.Connection, job: Job) -> None:
    """Tell of another status of a job that is not over."""
    OUTBOX.add(connection, _changed(job))


def progressed(connection: sa.Connection, job: Job, files: Sequence[FileRecord]) -> None:
    """Tell how far a job is; `files` are those that changed."""
    for some in _pages(files):
        OUTBOX.add(connection, _progress(job, some))


def ended(connection: sa.Connection, job: Job, files: Sequence[FileRecord], host: str, reason: str) -> None:
    """Tell of the end of a job, once; more files than one event holds go ahead in further ones."""
    first, *more = list(_pages(files)) or [()]
    for some in more:
        OUTBOX.add(connection, _progress(job, some))
    items = tuple(_item(job, file) for file in first)
    assert job.ended_at is not None
    assert job.completion is not None
    end = TransferEnded(
        state=TRANSFER_STATES[job.completion],
        description="" if job.completion in (SUCCESSFUL, WARNING, NOT_FOUND) else reason or job.completion,
        ended_at=job.ended_at,
        items=items,
        **_head(job, host),
    )
    OUTBOX.add(connection, end, _changed(job))


def _pages(files: Sequence[FileRecord]) -> Iterator[Sequence[FileRecord]]:
    for start in range(0, len(files), _MOST_ITEMS):
        yield files[start : start + _MOST_ITEMS]


def _progress(job: Job, files: Sequence[FileRecord]) -> TransferProgressed:
    state = "inProgress"
    if job.failed:
        state = "inProgressWithFailures"
    elif job.warnings:
        state = "inProgressWithWarnings"
    return TransferProgressed(
        transfer_id=job.transfer_id,
        protocol=_PROTOCOL,
        state=state,
        totals=_totals(job),
        began_at=job.began_at,
        items=tuple(_item(job, file) for file in files),
    )


def _totals(job: Job) -> Totals:
    return Totals(
        files=job.found,
        successes=job.successful,
        failures=job.failed,
        warnings=job.warnings,
        bytes_sent=job.bytes_done,
    )


def _head(job: Job, host: str) -> dict[str, Any]:
    asker = job.asker
    return {
        "transfer_id": job.transfer_id,
        "protocol": _PROTOCOL,
        "totals": _totals(job),
        "began_at": job.began_at,
        "source_agent": _AGENT,
        "destination_agent": _AGENT,
        "originator": Originator(account=asker.account, host=host, label=shown_label(asker.label) or None),
        "submitted_at": job.scheduled_at,
        "job_name": job.definition.name,
        "user_properties": {"crossdock.protocol": _PROTOCOL, "crossdock.job": job.token},
    }


def _item(job: Job, file: FileRecord) -> Item:
    source, destination = job.definition.source, job.definition.destination
    state = "inProgress"
    if file.completion is not None:
        state = "successful" if file.completion in (SUCCESSFUL, WARNING) else TRANSFER_STATES[file.completion]
    delivered = state == "successful"
    return Item(
        index=file.place,
        state=state,
        description=file.description,
        source=Side(
            path=f"{folder_of(source.url)}/{file.source}",
            size=file.size,
            sha256=file.sha256,
            disposition="delete" if job.definition.delete_source else "leave",
        ),
        destination=Side(
            path=f"{folder_of(destination.url)}/{file.destination}",
            size=file.size if delivered else file.bytes_done,
            sha256=file.sha256 if delivered else None,
            if_exists="overwrite" if destination.if_exists == "replace" else "error",
        ),
    )


def _changed(job: Job) -> JobChanged:
    over = job.status == COMPLETE
    return JobChanged(
        transaction_id=f"{job.transaction_id:016d}",
        transaction_name=job.definition.name,
        sequence=job.sequence,
        status=job.status,
        completion_status=job.completion if over else None,
        scheduled_time=job.scheduled_at,
        start_time=job.began_at,
        end_time=job.ended_at if over else None,
        attempt=job.attempt,
        transfer_id=job.transfer_id,
        account=job.asker.account,
        label=shown_label(job.asker.label) or None,
    )
