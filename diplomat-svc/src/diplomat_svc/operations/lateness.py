"""Report the jobs that are not over by the time that a rule of their transaction names."""

from typing import Final

from diplomat_svc.domain.states import COMPLETE, Severity
from diplomat_svc.operations import notices
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.store import lates
from mft_common import clock
from mft_common.process.background_tasks import BackgroundTask, periodic_task

_LOOK_EVERY_S: Final = 1.0


def report_late(writer: JobWriter) -> int:
    """Write a record and the notifications of each job that has become late; return how many times had come."""
    if not writer.database.query(lambda each: lates.any_due(each, writer.clock())):
        return 0
    with writer.database.write() as connection:
        now = writer.clock()
        taken = lates.take(connection, now)
        for job, place, due_at in taken:
            if job.status != COMPLETE:
                text = f"The job is late: it was not over by {clock.iso(due_at)}."
                writer.record(connection, job, text, Severity.WARNING)
                notices.add_of_late(connection, job, job.definition.notify[place], due_at, now)
    return len(taken)


def lateness_task(writer: JobWriter) -> BackgroundTask:
    """Return the task of a worker that looks for late jobs once a second."""

    def report_all() -> None:
        while report_late(writer):
            pass

    return periodic_task("late-jobs", report_all, every=_LOOK_EVERY_S, first=_LOOK_EVERY_S)
