"""Make the tables of configurations, IDs, scripts, templates, tasks and their executions, logs, and timers."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mft_common import applied_configuration, joblog, schedules, watching
from mft_common.database import leases

revision = "0002"
down_revision = "0001"
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False, server_default=default)


def _number(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, server_default=default)


def upgrade() -> None:
    for column in (
        *(_number(name, default="0") for name in ("wish", "taken_up", "epoch")),
        _text("reason", ""),
        _number("active", nullable=True),
        _text("log", ""),
        sa.Column("started", sa.Boolean(), nullable=False, server_default=sa.true()),
        _number("beats", default="0"),
        *(_text(name, "") for name in ("user", "address")),
    ):
        op.add_column("agent", column)
    op.create_table(
        "agent_start",
        sa.Column("number", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        _number("started_at"),
        *(_text(name) for name in ("host", "version")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "configuration",
        sa.Column("id", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("tasks", sa.LargeBinary(), nullable=False),
        _text("account", ""),
        _number("saved_at"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "stored_object",
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("configuration", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
        sa.Column("uid", sa.String(36), nullable=False),
    )
    op.create_index("stored_object_uid", "stored_object", ["uid", "configuration"])
    op.create_table(
        "template",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
    )
    _create_tasks()
    _create_executions()
    joblog.create_tables(op, "agent_log")
    joblog.create_tables(op, "task_log")
    schedules.create_table(op)
    leases.create_table(op)
    watching.create_tables(op)
    applied_configuration.create_table(op)


def _create_tasks() -> None:
    op.create_table(
        "task",
        sa.Column("id", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column(
            "configuration", sa.BigInteger(), sa.ForeignKey("configuration.id", ondelete="CASCADE"), nullable=False
        ),
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
    op.create_index("task_name", "task", ["configuration", "name"], unique=True)
    op.create_table(
        "task_failure",
        sa.Column("task", sa.BigInteger(), sa.ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.LargeBinary(16), primary_key=True),
        sqlite_with_rowid=False,
    )


def _create_executions() -> None:
    op.create_table(
        "execution",
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
        sqlite_autoincrement=True,
    )
    op.create_index("execution_task", "execution", ["task_id", "number"], unique=True)
    op.create_index("execution_place", "execution", ["status", "id"])
    op.create_table(
        "execution_file",
        sa.Column("execution", _NUMBER, sa.ForeignKey("execution.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("over", sa.Boolean(), nullable=False),
        _text("data"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sweeps",
        sa.Column("execution", _NUMBER, sa.ForeignKey("execution.id", ondelete="CASCADE"), primary_key=True),
        _number("tries"),
        _number("due_at"),
    )
    op.create_index("sweeps_due", "sweeps", ["due_at", "execution"])
    op.create_table(
        "delivery",
        sa.Column("place", sa.LargeBinary(16), primary_key=True),
        sa.Column("transfer", sa.String(48), nullable=False),
        _number("size"),
        _number("at"),
        sqlite_with_rowid=False,
    )
    op.create_index("delivery_at", "delivery", ["at"])


def downgrade() -> None:
    applied_configuration.drop_table(op)
    watching.drop_tables(op)
    leases.drop_table(op)
    schedules.drop_table(op)
    joblog.drop_tables(op, "task_log")
    joblog.drop_tables(op, "agent_log")
    for name in (
        *("delivery", "sweeps", "execution_file", "execution", "task_failure", "task"),
        *("template", "stored_object", "configuration", "agent_start"),
    ):
        op.drop_table(name)
    for name in ("address", "user", "beats", "started", "log", "active", "reason", "epoch", "taken_up", "wish"):
        op.drop_column("agent", name)
