"""Stop the job of a transaction: gracefully, or at once (2.3)."""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.names import printable, shown_label
from diplomat_svc.domain.states import CANCELLED, CANCELLING, RUNNING, TERMINATED, TERMINATING, WAITING
from diplomat_svc.errors import BadRequest
from diplomat_svc.operations import rights
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.schemas.requests import Which
from diplomat_svc.store import change_clock, requested_jobs
from mft_common.identity import Identity

# The status that a request gives to a job of each status; a job of any other keeps its own (A35).
_CHANGES: Final[Mapping[str, Mapping[str, str]]] = {
    CANCELLED: {RUNNING: CANCELLING},
    TERMINATED: {RUNNING: TERMINATING, CANCELLING: TERMINATING},
}
_WORDS: Final[Mapping[str, str]] = {CANCELLED: "Cancel", TERMINATED: "Terminate"}


def cancel(writer: JobWriter, which: Which, caller: Identity) -> None:
    """Ask the worker to stop the job between two blocks; a job that waits ends at once (41, A34)."""
    _stop(writer, which, caller, CANCELLED)


def terminate(writer: JobWriter, which: Which, caller: Identity) -> None:
    """Have the worker kill the job's process; a job that waits ends at once (42, A34)."""
    _stop(writer, which, caller, TERMINATED)


def _stop(writer: JobWriter, which: Which, caller: Identity, completion: str) -> None:
    rights.require_administrator(caller)
    visible = rights.visible_to(caller)
    with writer.database.write() as connection:
        # The clock comes first: its row is the lock under which jobs are taken and end.
        stamp = change_clock.advance(connection, writer.clock())
        found = requested_jobs.named(connection, number=which.number, name=which.name)
        if not found or not visible(found[0].name):
            raise rights.unknown_transaction(which)
        job = requested_jobs.to_stop(connection, [one.id for one in found])
        if job is None:
            raise BadRequest("No job of the transaction runs or waits.")
        stop_job(writer, connection, job, completion, label=shown_label(caller.label), stamp=stamp)


def stop_job(
    writer: JobWriter, connection: sa.Connection, job: Job, completion: str, *, label: str, stamp: int
) -> None:
    """Stop one job that is not over, so that it ends `Cancelled` or `Terminated`.

    `label` is that of the requester. The caller has advanced the change clock to `stamp` and read the job after that.
    """
    writer.record(connection, job, f"{_WORDS[completion]} requested.", label=label)
    reason = f"{_WORDS[completion]} was requested{f' by {printable(label)}' if label else ''}"
    if job.status in WAITING:
        writer.end_waiting(connection, job, completion, f"{reason} before it began.")
    elif status := _CHANGES[completion].get(job.status):
        writer.ask_to_stop(connection, job, status, f"{reason}.", stamp)
