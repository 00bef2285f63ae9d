"""Define the tables: the agent, configurations, IDs and scripts, templates, tasks, executions, logs."""

from typing import Any, Final

import sqlalchemy as sa

from mft_common.applied_configuration import AppliedConfiguration
from mft_common.database.leases import Leases
from mft_common.database.sweeps import Sweeps
from mft_common.database.workers import Workers
from mft_common.events import Inbox, Outbox
from mft_common.joblog import JobLog
from mft_common.schedules import Timers
from mft_common.watching import Deliveries, Memory
from sertainty_svc import SERVICE

metadata: Final = sa.MetaData()
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False, server_default=default)


def _number(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, server_default=default)


# One row: all workers are one agent. The columns bear the names of domain.agent.Agent.
agent: Final = sa.Table(
    "agent",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("running", sa.Boolean(), nullable=False),
    sa.Column("enabled", sa.Boolean(), nullable=False),
    _number("beat_at"),
    *(_number(name, default="0") for name in ("wish", "taken_up", "epoch")),
    _text("reason", ""),
    _number("active", nullable=True),
    _text("log", ""),
    sa.Column("started", sa.Boolean(), nullable=False, server_default=sa.true()),
    _number("beats", default="0"),
    *(_text(name, "") for name in ("user", "address")),
)

# The logs of the agent's starts, the newest 20 (74); the entries are those of AGENT_LOG with the name as their subject.
agent_start: Final = sa.Table(
    "agent_start",
    metadata,
    sa.Column("number", _NUMBER, sa.Identity(), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False, unique=True),
    _number("started_at"),
    *(_text(name) for name in ("host", "version")),
    sqlite_autoincrement=True,
)

# `tasks` is the document as it was saved, and `account` who saved it last. A number is never used again.
configuration: Final = sa.Table(
    "configuration",
    metadata,
    sa.Column("id", _NUMBER, sa.Identity(), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("tasks", sa.LargeBinary(), nullable=False),
    _text("account", ""),
    _number("saved_at"),
    sqlite_autoincrement=True,
)

# IDs and scripts; those that are shared have the configuration 0. `uid` is the id within an ID's document, "" where it
# has none that can be read.
stored_object: Final = sa.Table(
    "stored_object",
    metadata,
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("configuration", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("contents", sa.LargeBinary(), nullable=False),
    sa.Column("uid", sa.String(36), nullable=False),
)
sa.Index("stored_object_uid", stored_object.c.uid, stored_object.c.configuration)

template: Final = sa.Table(
    "template",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("contents", sa.LargeBinary(), nullable=False),
)

# `definition` is JSON, see domain.tasks. `failed` says whether the latest execution ended in error and no reset
# followed; `executions` counts those that were queued. `retry_at` is when a Change task whose own fault ended its last
# execution may try again, after `faults` such ends in a row (86).
task: Final = sa.Table(
    "task",
    metadata,
    sa.Column("id", _NUMBER, sa.Identity(), primary_key=True),
    sa.Column("configuration", sa.BigInteger(), sa.ForeignKey("configuration.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    _number("position"),
    _text("definition"),
    sa.Column("paused", sa.Boolean(), nullable=False),
    *(_number(name, default="0") for name in ("exec_count", "error_count", "executions", "faults")),
    *(_number(name, nullable=True) for name in ("started_at", "ended_at", "last_error_at", "retry_at")),
    _text("error", ""),
    sa.Column("failed", sa.Boolean(), nullable=False, server_default=sa.false()),
    sqlite_autoincrement=True,
)
sa.Index("task_name", task.c.configuration, task.c.name, unique=True)

# Files that failed and are not taken again until they change, by digests as in mft_common.watching (86).
task_failure: Final = sa.Table(
    "task_failure",
    metadata,
    sa.Column("task", sa.BigInteger(), sa.ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.LargeBinary(16), primary_key=True),
    sqlite_with_rowid=False,
)

# Files whose output may be there although no execution has recorded that, by digests as in mft_common.watching (88).
# `folder` is the destination, and `data` as in `execution_file`.
unproved_commit: Final = sa.Table(
    "unproved_commit",
    metadata,
    sa.Column("task", sa.BigInteger(), sa.ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.LargeBinary(16), primary_key=True),
    *(_text(name) for name in ("folder", "data")),
    sqlite_with_rowid=False,
)

# The columns bear the names of domain.executions.Execution. One of a task that is gone stays until it has ended.
execution: Final = sa.Table(
    "execution",
    metadata,
    sa.Column("id", _NUMBER, sa.Identity(), primary_key=True),
    *(_number(name) for name in ("task_id", "configuration_id")),
    *(_text(name) for name in ("configuration", "task")),
    _number("number"),
    _text("definition"),
    sa.Column("transfer_id", sa.String(48), nullable=False),
    _text("account"),
    sa.Column("request_id", sa.String(64), nullable=False),
    _number("queued_at"),
    sa.Column("has_files", sa.Boolean(), nullable=False),
    sa.Column("caused_by", sa.String(48)),
    sa.Column("status", sa.String(8), nullable=False),
    _text("stop"),
    sa.Column("owner", sa.String(64), nullable=False),
    *(_number(name) for name in ("fence", "epoch", "attempts", "crashes", "due_at")),
    *(_number(name, nullable=True) for name in ("began_at", "ended_at")),
    *(_number(name) for name in ("files", "errors")),
    _text("error"),
    _number("runs", default="0"),
    sa.Column("ran", sa.Boolean(), nullable=False, server_default=sa.false()),
    sqlite_autoincrement=True,
)
sa.Index("execution_task", execution.c.task_id, execution.c.number, unique=True)
sa.Index("execution_place", execution.c.status, execution.c.id)

# `data` is JSON, see domain.executions.ExecutionFile.
execution_file: Final = sa.Table(
    "execution_file",
    metadata,
    sa.Column("execution", _NUMBER, sa.ForeignKey("execution.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("over", sa.Boolean(), nullable=False),
    _text("data"),
    sqlite_with_rowid=False,
)

# Executions that are over and may have left unfinished files.
sweeps: Final = sa.Table(
    "sweeps",
    metadata,
    sa.Column("execution", _NUMBER, sa.ForeignKey("execution.id", ondelete="CASCADE"), primary_key=True),
    _number("tries"),
    _number("due_at"),
)
sa.Index("sweeps_due", sweeps.c.due_at, sweeps.c.execution)

# Which transfer of the hub wrote a file of a watched folder last, by the digest of its place (caused_by).
delivery: Final = sa.Table(
    "delivery",
    metadata,
    sa.Column("place", sa.LargeBinary(16), primary_key=True),
    sa.Column("transfer", sa.String(48), nullable=False),
    _number("size"),
    _number("at"),
    sqlite_with_rowid=False,
)
sa.Index("delivery_at", delivery.c.at)

# The subject of the agent's log is the name of a start, that of a task's log `task/ID`; texts are JSON (store.logs).
AGENT_LOG: Final = JobLog(metadata, "agent_log")
TASK_LOG: Final = JobLog(metadata, "task_log")
TIMERS: Final = Timers(metadata)
LEASES: Final = Leases(metadata)
WATCHES: Final = Memory(metadata)
DELIVERIES: Final = Deliveries(delivery)
WORKERS: Final = Workers(LEASES)
SWEEPS: Final = Sweeps(sweeps.c.execution)
OUTBOX: Final = Outbox(SERVICE, metadata)
INBOX: Final = Inbox(metadata)
APPLIED: Final = AppliedConfiguration(metadata, "data_protector")
