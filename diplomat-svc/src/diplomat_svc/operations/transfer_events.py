"""Build the events of a job: it is a transfer, and a job of its transaction (E3 to E5)."""

from collections.abc import Sequence
from typing import Final

from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.names import shown_label
from diplomat_svc.domain.states import COMPLETE, DELIVERED, NOT_FOUND, TRANSFER_STATES
from mft_common.endpoints.targets import without_query
from mft_common.events import (
    Agent,
    Event,
    Item,
    JobChanged,
    Originator,
    Side,
    Totals,
    TransferProgressed,
    TransferStarted,
)
from mft_common.events.transfer_builder import TransferEvents

_PROTOCOL: Final = "diplomat"
_AGENT: Final = Agent(name="DIPLOMAT")


def started(job: Job, host: str) -> TransferStarted:
    """Return the event of a new job."""
    return _transfer(job, host).started(_totals(job))


def progressed(job: Job, files: Sequence[FileRecord], host: str) -> list[TransferProgressed]:
    """Return the events of a job's progress; `files` are those that changed since the last ones."""
    return _transfer(job, host).progressed(_totals(job), [_item(job, file) for file in files]) if files else []


def ended(job: Job, files: Sequence[FileRecord], host: str) -> list[Event]:
    """Return the event of a job's end; files beyond the first 1,000 go ahead of it in further ones."""
    assert job.ended_at is not None
    assert job.completion is not None
    description = job.reason or ("" if job.completion in (*DELIVERED, NOT_FOUND) else job.completion)
    items = [_item(job, file) for file in files]
    return _transfer(job, host).ended(TRANSFER_STATES[job.completion], _totals(job), items, job.ended_at, description)


def job_changed(job: Job) -> JobChanged:
    """Return the event of a job's new status."""
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
        account=job.requester.account,
        label=shown_label(job.requester.label) or None,
        caused_by=job.caused_by,
    )


def _totals(job: Job) -> Totals:
    return Totals(
        files=job.found,
        successes=job.successful,
        failures=job.failed,
        warnings=job.warnings,
        bytes_sent=job.bytes_done,
        retries=job.retries,
    )


def _transfer(job: Job, host: str) -> TransferEvents:
    requester = job.requester
    return TransferEvents(
        transfer_id=job.transfer_id,
        protocol=_PROTOCOL,
        began_at=job.began_at,
        source_agent=_AGENT,
        destination_agent=_AGENT,
        originator=Originator(account=requester.account, host=host, label=shown_label(requester.label) or None),
        submitted_at=job.scheduled_at,
        job_name=job.definition.name,
        caused_by=job.caused_by,
        user_properties={"crossdock.protocol": _PROTOCOL, "crossdock.job": job.token},
    )


def _item(job: Job, file: FileRecord) -> Item:
    source, destination = job.definition.source, job.definition.destination
    state = "inProgress"
    if file.completion is not None:
        state = "successful" if file.completion in DELIVERED else TRANSFER_STATES[file.completion]
    delivered = state == "successful"
    return Item(
        index=file.place,
        state=state,
        description=file.description,
        source=Side(
            path=f"{_folder_of(source.url)}/{file.source}",
            size=file.size,
            sha256=file.sha256,
            disposition="delete" if job.definition.delete_source else "leave",
        ),
        destination=Side(
            path=f"{_folder_of(destination.url)}/{file.destination}",
            size=_delivered(file) if delivered else file.bytes_done,
            sha256=file.delivered_sha256 if delivered else None,
            if_exists="overwrite" if destination.if_exists == "replace" else "error",
        ),
    )


def _delivered(file: FileRecord) -> int:
    """Return the size at the destination; records of earlier versions have that of the source alone."""
    return file.size if file.delivered_size is None else file.delivered_size


def _folder_of(url: str) -> str:
    """Return the folder that a URL names, without its scheme and its query."""
    return without_query(url).partition(":")[2].rstrip("/")
