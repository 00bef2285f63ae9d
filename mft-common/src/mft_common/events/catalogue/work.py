"""Events of jobs and tasks."""

from dataclasses import dataclass
from typing import ClassVar

from marshmallow import validate

from mft_common.events.catalogue.event import Event
from mft_common.events.catalogue.fields import TRANSFER_ID, Moment, Text, Whole, WireSchema

TASK_CHANGES = ("saved", "removed", "paused", "resumed", "reset", "started", "ended")


class JobChangedSchema(WireSchema):
    """JSON of `job.changed.v1`."""

    transaction_id = Text(required=True)
    transaction_name = Text(required=True)
    sequence = Whole(required=True)
    status = Text(required=True)
    completion_status = Text()
    scheduled_time = Moment(required=True)
    start_time = Moment()
    end_time = Moment()
    attempt = Whole()
    transfer_id = Text(validate=TRANSFER_ID)
    caused_by = Text(validate=TRANSFER_ID)
    account = Text(required=True)
    label = Text()


@dataclass(frozen=True, kw_only=True)
class JobChanged(Event):
    """The status of a transaction's job changed; `completion_status` is set when the job is over.

    `sequence` is the job's number, unique in the service. `caused_by` is the id of the transfer whose file started the
    job. Times are in milliseconds.
    """

    TYPE: ClassVar[str] = "job.changed.v1"
    SCHEMA: ClassVar[WireSchema] = JobChangedSchema()
    transaction_id: str
    transaction_name: str
    sequence: int
    status: str
    scheduled_time: int
    account: str
    completion_status: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    attempt: int | None = None
    transfer_id: str | None = None
    label: str | None = None
    caused_by: str | None = None

    def subject(self) -> str:
        """Return the transaction's id and the job's number."""
        return f"{self.transaction_id}/{self.sequence}"


class TaskChangedSchema(WireSchema):
    """JSON of `task.changed.v1`."""

    configuration = Text(required=True)
    task = Text(required=True)
    change = Text(required=True, validate=validate.OneOf(TASK_CHANGES))
    status = Text(required=True)
    exec_count = Whole(required=True)
    error_count = Whole(required=True)
    error = Text()
    transfer_id = Text(validate=TRANSFER_ID)
    caused_by = Text(validate=TRANSFER_ID)


@dataclass(frozen=True, kw_only=True)
class TaskChanged(Event):
    """A task was saved, removed, paused, resumed or reset, or an execution of it started or ended.

    `exec_count` and `error_count` are the task's counters, `error` its last error text. `caused_by` is the id of the
    transfer whose file started the execution.
    """

    TYPE: ClassVar[str] = "task.changed.v1"
    SCHEMA: ClassVar[WireSchema] = TaskChangedSchema()
    configuration: str
    task: str
    change: str
    status: str
    exec_count: int
    error_count: int
    error: str | None = None
    transfer_id: str | None = None
    caused_by: str | None = None

    def subject(self) -> str:
        """Return the configuration's name and the task's."""
        return f"{self.configuration}/{self.task}"
