"""Define the tables: transfers, their items, a counter of transfers, agents, managed transfers, calls, monitors."""

from typing import Any, Final

import sqlalchemy as sa

from mft_common.applied_configuration import AppliedConfiguration
from mft_common.database.leases import Leases
from mft_common.database.sweeps import Sweeps
from mft_common.database.workers import Workers
from mft_common.events import Inbox, Outbox
from mft_common.schedules import Timers
from mft_common.watching import Memory
from mqmft_svc import SERVICE

metadata: Final = sa.MetaData()
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


# The columns bear the names of domain.Transfer. A list needs this table alone, in the order of its second index (241).
transfer: Final = sa.Table(
    "transfer",
    metadata,
    sa.Column("arrival", _NUMBER, sa.Identity(), primary_key=True),
    sa.Column("id", sa.String(48), nullable=False),
    _text("protocol"),
    _text("state"),
    sa.Column("head_rank", sa.SmallInteger(), nullable=False),
    _number("sequence"),
    _number("started_at"),
    _number("began_at", nullable=True),
    _number("ended_at", nullable=True),
    _number("updated_at"),
    *(_text(name) for name in ("description", "source_agent", "source_qmgr", "destination_agent", "destination_qmgr")),
    *(_text(name) for name in ("home_qmgr", "host", "account", "mqmd_user", "label", "job_name", "user_properties")),
    _text("network"),
    *(_number(name) for name in ("files", "successes", "failures", "warnings", "bytes_sent", "retries")),
)
sa.Index("transfer_id", transfer.c.id, unique=True)
sa.Index("transfer_place", transfer.c.started_at, transfer.c.arrival)

# `leaves` and `older` are JSON objects, see domain.Item.
item: Final = sa.Table(
    "item",
    metadata,
    sa.Column("transfer", _NUMBER, sa.ForeignKey("transfer.arrival", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.BigInteger(), primary_key=True),
    _number("sequence"),
    _text("leaves"),
    _text("older"),
    sqlite_with_rowid=False,
)

# How many rows `transfer` has, as a sum over a few rows that triggers of the database keep (50, 241).
counter: Final = sa.Table(
    "counter", metadata, sa.Column("slot", sa.SmallInteger(), primary_key=True, autoincrement=False), _number("value")
)

# The moment from which on transfers are visible where a start hides the earlier ones: one row, or none where no start
# has. How many are hidden is a sum over a few rows that triggers keep, as in `counter` (200).
visible_since: Final = sa.Table(
    "visible_since",
    metadata,
    sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
    _number("since"),
    _number("noted_at"),
)
hidden: Final = sa.Table(
    "hidden", metadata, sa.Column("slot", sa.SmallInteger(), primary_key=True, autoincrement=False), _number("value")
)

# The last finding about each agent of the applied configuration, and since when an operator has stopped it, see
# domain.agents.
agent: Final = sa.Table(
    "agent",
    metadata,
    sa.Column("name", sa.String(28), primary_key=True),
    sa.Column("definition", sa.String(64), nullable=False),
    sa.Column("finding", sa.String(16), nullable=False),
    _number("at"),
    _text("detail"),
    _number("stopped_at", nullable=True),
)

# The managed transfers, see domain.managed, and their files as JSON, see domain.managed_files.
managed: Final = sa.Table(
    "managed",
    metadata,
    sa.Column("id", sa.String(48), primary_key=True),
    _text("submission"),
    _text("account"),
    _text("host"),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("source_agent", sa.String(28), nullable=False),
    sa.Column("destination_agent", sa.String(28), nullable=False),
    sa.Column("priority", sa.SmallInteger(), nullable=False),
    _number("submitted_at"),
    _number("queued_at"),
    sa.Column("status", sa.String(16), nullable=False),
    _number("due_at"),
    _number("began_at", nullable=True),
    _number("recovering_since", nullable=True),
    _number("retries"),
    sa.Column("stop", sa.String(16), nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),
    _number("fence"),
    _number("ended_at", nullable=True),
    sa.Column("calls", sa.Text(), nullable=False, server_default="{}"),
    sa.Column("caused_by", sa.String(48)),
    sa.Column("receiver", sa.Text(), nullable=False, server_default=""),
)
sa.Index("managed_place", managed.c.status, managed.c.priority.desc(), managed.c.queued_at)
managed_file: Final = sa.Table(
    "managed_file",
    metadata,
    sa.Column("transfer", sa.String(48), sa.ForeignKey("managed.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.BigInteger(), primary_key=True),
    _text("data"),
)

# Managed transfers that are over and may have left unfinished files.
sweeps: Final = sa.Table(
    "sweeps",
    metadata,
    sa.Column("transfer", sa.String(48), sa.ForeignKey("managed.id", ondelete="CASCADE"), primary_key=True),
    _number("tries"),
    _number("due_at"),
)
sa.Index("sweeps_due", sweeps.c.due_at, sweeps.c.transfer)

# The calls that were asked for by themselves, see domain.managed_calls; `request` is JSON, "" once a call is over.
managed_call: Final = sa.Table(
    "managed_call",
    metadata,
    sa.Column("arrival", _NUMBER, sa.Identity(), primary_key=True),
    sa.Column("id", sa.String(48), nullable=False),
    sa.Column("agent", sa.String(28), nullable=False),
    *(_text(name) for name in ("qmgr", "name", "account", "host")),
    sa.Column("request_id", sa.String(64), nullable=False),
    *(_text(name) for name in ("job_name", "user_properties", "request")),
    _number("started_at"),
    _number("ended_at", nullable=True),
    _number("updated_at"),
    sa.Column("state", sa.String(20), nullable=False),
    _text("description"),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("result_code", sa.Integer(), nullable=False),
    _text("answer"),
    sa.Column("tries", sa.Integer(), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    _number("due_at"),
    sa.Column("owner", sa.String(64), nullable=False),
    _number("fence"),
    sqlite_autoincrement=True,
)
sa.Index("managed_call_id", managed_call.c.id, unique=True)
sa.Index("managed_call_place", managed_call.c.started_at, managed_call.c.arrival)
sa.Index("managed_call_due", managed_call.c.phase, managed_call.c.due_at, managed_call.c.arrival)

# The queues that managed transfers take messages from, see store.managed_queues.
managed_queue: Final = sa.Table(
    "managed_queue",
    metadata,
    sa.Column("transfer", sa.String(48), sa.ForeignKey("managed.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("agent", sa.String(28), primary_key=True),
    sa.Column("queue", sa.String(255), primary_key=True),
    sa.Column("claimed", sa.Boolean(), nullable=False),
)
sa.Index("managed_queue_name", managed_queue.c.agent, managed_queue.c.queue)

# Which transfer or call a request with an `Idempotency-Key` has made (152), and when the request was repeated last.
submission_key: Final = sa.Table(
    "submission_key",
    metadata,
    sa.Column("account", sa.String(255), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("transfer", sa.String(48), nullable=False),
    _number("at"),
    _number("repeated_at", nullable=True),
)
sa.Index("submission_key_at", submission_key.c.at)
sa.Index("submission_key_transfer", submission_key.c.transfer)

# The resource monitors (1.L), each with its definition as the resource shows it; a number is never used again. Those of
# crossdock.yaml are `configured`.
monitor: Final = sa.Table(
    "monitor",
    metadata,
    sa.Column("number", _NUMBER, sa.Identity(), primary_key=True),
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("agent", sa.String(28), nullable=False),
    _text("document"),
    _text("account"),
    _number("created_at"),
    sa.Column("configured", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column("last_transfer", sa.String(48)),
    sqlite_autoincrement=True,
)
sa.Index("monitor_name", monitor.c.name, monitor.c.agent, unique=True)

# Which transfer of the hub wrote a file last, by the digest of its place, see domain.places.
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

# The schedules that are not over, see domain.managed; the timer of each has its next time.
schedule: Final = sa.Table(
    "schedule",
    metadata,
    sa.Column("id", sa.String(48), primary_key=True),
    _text("submission"),
    sa.Column("zone", sa.String(64), nullable=False),
    _text("account"),
    _number("made_at"),
    _number("runs"),
    sa.Column("latest", sa.String(48), nullable=False),
)

TIMERS: Final = Timers(metadata)
LEASES: Final = Leases(metadata)
WATCHES: Final = Memory(metadata)
WORKERS: Final = Workers(LEASES)
SWEEPS: Final = Sweeps(sweeps.c.transfer)
CALL_WORKERS: Final = Workers(LEASES, "call-worker/")
TRANSFER_CALL_WORKERS: Final = Workers(LEASES, "transfer-call-worker/")
OUTBOX: Final = Outbox(SERVICE, metadata)
INBOX: Final = Inbox(metadata)
APPLIED: Final = AppliedConfiguration(metadata, "ibm_mq_mft", "endpoints", "allowed_folders")
