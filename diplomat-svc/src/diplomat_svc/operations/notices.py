"""Write the notifications of a job: rows that commit with the change they are about (E4, E43)."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from diplomat_svc.domain import notices
from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.names import printable
from diplomat_svc.domain.states import COMPLETE
from diplomat_svc.domain.transactions import CronSchedule, Notify
from diplomat_svc.store import jobs, lates
from diplomat_svc.store.tables import NOTIFICATIONS
from mft_common import clock
from mft_common.notify import Notification, mail, webhook
from mft_common.schedules import Cron, time_zone


def expect(connection: sa.Connection, job: Job) -> None:
    """Store by when a job that was scheduled just now is late, for each rule that wants to know."""
    due = {
        place: _late_at(rule, job) for place, rule in enumerate(job.definition.notify) if notices.concerns_late(rule)
    }
    lates.add(connection, job.sequence, {place: at for place, at in due.items() if at is not None})


def _late_at(rule: Notify, job: Job) -> int | None:
    """Return by when a job is to be over: `after` its scheduled time, else the next time of its schedule."""
    if rule.after is not None:
        return job.scheduled_at + round(rule.after * 1000)
    schedule = job.definition.schedule
    if not isinstance(schedule, CronSchedule):
        return None
    return Cron(schedule.cron, time_zone(schedule.time_zone)).next_after(job.scheduled_at)


def add_of_end(connection: sa.Connection, job: Job) -> None:
    """Store the notifications of a job's end, one for each receiver of each rule that it concerns."""
    rules = job.definition.notify
    if not rules:
        return
    assert job.completion is not None
    assert job.ended_at is not None
    if any(notices.concerns_late(rule) for rule in rules):
        lates.remove(connection, job.sequence)
    recovered = notices.has_recovered(job.completion, jobs.completion_before(connection, job))
    matching = [rule for rule in rules if notices.concerns_end(rule, job.completion, recovered=recovered)]
    word = f"{job.completion}, recovered" if recovered else job.completion
    data = {**_data(job), "completionStatus": job.completion, "recovered": recovered, "reason": printable(job.reason)}
    for rule in matching:
        NOTIFICATIONS.add(connection, *_messages(rule, job, word, data, job.ended_at))


def add_of_late(connection: sa.Connection, job: Job, rule: Notify, due_at: int, now: int) -> None:
    """Store the notifications of a job that was not over at `due_at`."""
    data = {**_data(job), "dueTime": due_at}
    NOTIFICATIONS.add(connection, *_messages(rule, job, notices.LATE, data, now))


def _messages(rule: Notify, job: Job, word: str, data: dict[str, Any], at: int) -> Iterator[Notification]:
    kind = "job.late" if word == notices.LATE else "job.ended"
    if rule.webhook is not None:
        yield webhook(rule.webhook, kind, data, at)
    subject = f"{printable(job.definition.name)}: {word}"
    yield from mail(rule.email, subject, "\n".join(_lines(data)), at)


def _lines(data: dict[str, Any]) -> Iterator[str]:
    for name, value in data.items():
        shown = clock.iso(value) if name.endswith("Time") and value is not None else value
        if value not in (None, ""):
            yield f"{name}: {shown}"


def _data(job: Job) -> dict[str, Any]:
    """Return what a notification tells of a job: no value of a variable, and no URL."""
    return {
        "transactionId": f"{job.transaction_id:016d}",
        "transactionName": printable(job.definition.name),
        "sequence": job.token,
        "status": job.status,
        "attempt": job.attempt,
        "scheduledTime": job.scheduled_at,
        "startTime": job.began_at,
        "endTime": job.ended_at if job.status == COMPLETE else None,
        "filesFound": job.found,
        "filesSuccessful": job.successful,
        "filesFailed": job.failed,
        "transferId": job.transfer_id,
    }
