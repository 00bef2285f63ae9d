"""Stop the job of a transaction: gracefully, or at once (2.3)."""

from collections.abc import Mapping
from typing import Final

from diplomat_svc.domain.names import shown_label
from diplomat_svc.domain.states import CANCELLED, CANCELLING, RUNNING, TERMINATED, TERMINATING, WAITING
from diplomat_svc.errors import BadRequest
from diplomat_svc.operations import rights
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.schemas.requests import Which
from diplomat_svc.store import change_clock, requested_jobs
from mft_common.identity import Identity

# The status that a request gives to a job of each status; a job of any other keeps its own (A35).
_CANCEL: Final[Mapping[str, str]] = {RUNNING: CANCELLING}
_TERMINATE: Final[Mapping[str, str]] = {RUNNING: TERMINATING, CANCELLING: TERMINATING}


def cancel(writer: JobWriter, which: Which, caller: Identity) -> None:
    """Ask the worker to stop the job between two blocks; a job that waits ends at once (41, A34)."""
    _stop(writer, which, caller, _CANCEL, CANCELLED)


def terminate(writer: JobWriter, which: Which, caller: Identity) -> None:
    """Have the worker kill the job's process; a job that waits ends at once (42, A34)."""
    _stop(writer, which, caller, _TERMINATE, TERMINATED)


def _stop(writer: JobWriter, which: Which, caller: Identity, changes: Mapping[str, str], completion: str) -> None:
    rights.require_administrator(caller)
    visible = rights.visible_to(caller)
    label = shown_label(caller.label)
    word = "Cancel" if completion == CANCELLED else "Terminate"
    with writer.database.write() as connection:
        # The clock comes first: its row is the lock under which jobs are taken and end.
        stamp = change_clock.advance(connection, writer.clock())
        found = requested_jobs.named(connection, number=which.number, name=which.name)
        if not found or not visible(found[0].name):
            raise rights.unknown_transaction(which)
        job = requested_jobs.to_stop(connection, [one.id for one in found])
        if job is None:
            raise BadRequest("No job of the transaction runs or waits.")
        writer.record(connection, job, f"{word} requested.", label=label)
        if job.status in WAITING:
            writer.end_waiting(connection, job, completion, "It was stopped before it began.")
        elif job.status in changes:
            writer.ask_to_stop(connection, job, changes[job.status], stamp)
