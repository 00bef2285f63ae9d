"""Define the tables."""

from typing import Final

import sqlalchemy as sa

from diplomat_svc.migrations import HEAD
from mft_common.applied_configuration import AppliedConfiguration
from mft_common.database import Database
from mft_common.database.leases import Leases
from mft_common.database.sweeps import Sweeps
from mft_common.database.workers import Workers
from mft_common.events import Inbox, Outbox
from mft_common.events.tables import enter_cluster
from mft_common.joblog import JobLog
from mft_common.notify import Notifications
from mft_common.schedules import Timers
from mft_common.watching import Memory

SERVICE: Final = "diplomat-svc"
metadata = sa.MetaData()
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


clock = sa.Table(
    "clock", metadata, sa.Column("id", sa.Integer(), primary_key=True), *_numbers("stamp", "answered", "sequence")
)

transactions = sa.Table(
    "transactions",
    metadata,
    sa.Column("id", _NUMBER, primary_key=True),
    *_texts("name", "direction", "state", "definition"),
    sa.Column("removed", sa.Boolean(), nullable=False),
    *_numbers("stamp"),
    sa.Column("last_sequence", sa.BigInteger()),
    sa.Column("last_completion", sa.String(32)),
    # The folder of the store whose new files start jobs.
    sa.Column("trigger_folder", sa.Text()),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
    *_numbers("transaction_id"),
    *_texts("definition", "variables", "account", "label", "address", "transfer_id", "request_id", "status"),
    *_numbers("scheduled_at", "updated_at"),
    sa.Column("began_at", sa.BigInteger()),
    sa.Column("ended_at", sa.BigInteger()),
    sa.Column("completion", sa.String(32)),
    *_numbers("found", "successful", "failed", "warnings", "retries", "attempt", "bytes_total", "bytes_done", "lease"),
    sa.Column("owner", sa.String(64)),
    # When a queued job may begin, and when a delayed one is queued; 0 for at once.
    sa.Column("due_at", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("caused_by", sa.String(48)),
    sa.Column("audit", sa.Text(), nullable=False, server_default=""),
    sa.Column("reason", sa.Text(), nullable=False, server_default=""),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
    *_texts("source", "destination", "status", "description"),
    # Names as a JSON list.
    sa.Column("temporaries", sa.Text(), nullable=False, server_default="[]"),
    *_numbers("size", "began_at", "retries", "bytes_done"),
    sa.Column("ended_at", sa.BigInteger()),
    sa.Column("completion", sa.String(32)),
    sa.Column("sha256", sa.String(64)),
    sa.Column("modified_at", sa.BigInteger()),
    sa.Column("delivered_size", sa.BigInteger()),
    sa.Column("delivered_sha256", sa.String(64)),
    # Lists of names as a JSON object.
    sa.Column("archived", sa.Text(), nullable=False, server_default="{}"),
    sa.Column("checkpoint", sa.Text()),
    sa.Column("version", sa.Text(), nullable=False, server_default=""),
    sa.Column("copies_pending", sa.String(32)),
)

# The delivered members of archives that the active jobs unpack; lists as JSON.
members = sa.Table(
    "members",
    metadata,
    sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("archive_sha256", sa.String(64), nullable=False),
    *_texts("name", "destination"),
    *_numbers("size"),
    sa.Column("sha256", sa.String(64), nullable=False),
    *_texts("warnings", "archived"),
)

# Jobs that are over and may have left temporary files.
sweeps = sa.Table(
    "sweeps",
    metadata,
    sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
    *_numbers("tries", "due_at"),
)

# Jobs that are over and whose audit record is still to be written.
audits = sa.Table(
    "audits",
    metadata,
    sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
    *_numbers("tries"),
)

# When a job that is not over by then is late, for each rule of its transaction that wants to know.
lates = sa.Table(
    "lates",
    metadata,
    sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("rule", sa.Integer(), primary_key=True, autoincrement=False),
    *_numbers("due_at"),
)

# The subject of a record is the sequence of its job.
JOB_LOG: Final = JobLog(metadata)
LEASES: Final = Leases(metadata)
WORKERS: Final = Workers(LEASES)
SWEEPS: Final = Sweeps(sweeps.c.sequence)
TIMERS: Final = Timers(metadata)
WATCHES: Final = Memory(metadata)
NOTIFICATIONS: Final = Notifications(metadata)
OUTBOX: Final = Outbox(SERVICE, metadata)
INBOX: Final = Inbox(metadata)
APPLIED: Final = AppliedConfiguration(metadata, "diplomat", "endpoints", "openpgp", "allowed_folders", "webhooks")


def open_database(url: str) -> Database:
    """Open the database and bring its tables up to date."""
    database = Database(url, schema=SERVICE, metadata=metadata, migrations="diplomat_svc.migrations", head=HEAD)
    database.migrate(enter_cluster)
    return database
