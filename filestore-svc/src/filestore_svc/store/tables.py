"""Define the tables of filestore-svc, its outbox among them.

Names sort and compare by Unicode code point on every database: SQLite does, PostgreSQL is told to. (S31) Times are
milliseconds since the epoch; 0 stands for "never", which sorts lowest and lets every sort key have a plain index. (D12)
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from filestore_svc.settings import SERVICE
from mft_common.events.outbox import Outbox

metadata: Final = sa.MetaData()
outbox: Final = Outbox(SERVICE, metadata)

# On SQLite an integer primary key is the row id, so the table needs no index for it.
_ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAME: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

# The index of endings holds so many characters; the rest of a longer tail is compared row by row.
ENDING_LENGTH: Final = 8


class ending(FunctionElement[str]):  # noqa: N801 -- a function of SQL, named as those are
    """The last ENDING_LENGTH characters of a text in reverse, so that texts with one ending form a range."""

    type = sa.Text()
    inherit_cache = True


@compiles(ending, "sqlite")
def _ending_on_sqlite(element: Any, compiler: SQLCompiler, **more: Any) -> str:
    name = compiler.process(element.clauses, **more)
    return f"({' || '.join(f'substr({name}, -{place}, 1)' for place in range(1, ENDING_LENGTH + 1))})"


@compiles(ending, "postgresql")
def _ending_on_postgresql(element: Any, compiler: SQLCompiler, **more: Any) -> str:
    return f'("left"(reverse({compiler.process(element.clauses, **more)}), {ENDING_LENGTH}))'


_WILL_EXPIRE: Final = sa.text("expires_at > 0")

folders: Final = sa.Table(
    "folders",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("folders.id")),
    sa.Column("path", _NAME, nullable=False, unique=True),
    sa.Column("name", _NAME, nullable=False),
    # The folder's own access list, account -> rights; null where it inherits its parent's.
    sa.Column("access", sa.JSON(none_as_null=True)),
    # False for a folder that is no longer configured: its files are hidden until it is configured again.
    sa.Column("active", sa.Boolean, nullable=False),
    # True for a folder that an account made; the configuration does not hide it.
    sa.Column("made", sa.Boolean, nullable=False),
)
sa.Index("folders_parent", folders.c.parent_id, folders.c.name)

files: Final = sa.Table(
    "files",
    metadata,
    sa.Column("fileset", _ID, primary_key=True, autoincrement=False),
    sa.Column("folder_id", sa.Integer, sa.ForeignKey("folders.id"), nullable=False),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("datatype", sa.String(255), nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("dst_file_name", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("modified_at", sa.BigInteger, nullable=False),
    sa.Column("put_at", sa.BigInteger, nullable=False),
    sa.Column("first_read_at", sa.BigInteger, nullable=False),
    sa.Column("accessed_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    # On PostgreSQL every index includes the columns of a listing, so that no row has to be read.
    sa.Index("files_by_name", "folder_id", "name", unique=True, postgresql_include=["expires_at", "fileset"]),
    sa.Index("files_by_size", "folder_id", "size", "name", postgresql_include=["expires_at", "fileset"]),
    sa.Index("files_by_put", "folder_id", "put_at", "name", postgresql_include=["expires_at", "fileset"]),
    sa.Index("files_by_read", "folder_id", "first_read_at", "name", postgresql_include=["expires_at", "fileset"]),
    # For the sweeper: only files that will expire.
    sa.Index("files_expiring", "expires_at", sqlite_where=_WILL_EXPIRE, postgresql_where=_WILL_EXPIRE),
    sa.Index("files_by_expiry", "folder_id", "expires_at", "name", postgresql_include=["fileset"]),
)

# For filters by the end of a name, such as *.csv.
sa.Index(
    "files_by_end",
    files.c.folder_id,
    ending(files.c.name),
    files.c.name,
    postgresql_include=["expires_at", "fileset"],
)

# How many files a folder has, kept by triggers on `files` in the transaction of each change; `changes` only grows.
# PostgreSQL spreads a folder over 16 rows by the files' names, so that uploads into it seldom wait for one another.
folder_counts: Final = sa.Table(
    "folder_counts",
    metadata,
    sa.Column("folder_id", sa.Integer, sa.ForeignKey("folders.id"), primary_key=True, autoincrement=False),
    sa.Column("stripe", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("files", sa.BigInteger, nullable=False),
    sa.Column("changes", sa.BigInteger, nullable=False),
)

# Custom metadata belongs to one content, not to a name.
attributes: Final = sa.Table(
    "attributes",
    metadata,
    sa.Column("fileset", sa.BigInteger, sa.ForeignKey("files.fileset", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", _NAME, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# One row with the next fileset id. Ids that were taken and not used are never given out again.
filesets: Final = sa.Table(
    "filesets",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("next", sa.BigInteger, nullable=False),
)

# Blobs whose file was replaced or deleted. They go a little later, because a reader may have looked the file up just
# before. A blob that could not be deleted is tried again at `retry_at`.
deleted_blobs: Final = sa.Table(
    "deleted_blobs",
    metadata,
    sa.Column("fileset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("deleted_at", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retry_at", sa.BigInteger, nullable=False, server_default="0"),
)

# Blobs that a process has been reading for longer than a moment: they are not deleted before the process is done.
open_reads: Final = sa.Table(
    "open_reads",
    metadata,
    sa.Column("fileset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("process", sa.String(32), primary_key=True),
    sa.Column("lease_until", sa.BigInteger, nullable=False),
)

# Periodic work that one worker at a time does in portions: where the next portion begins, and when it is due.
sweeps: Final = sa.Table(
    "sweeps",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("cursor", sa.Text, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
)

# Transfers that were announced and have not ended. When their process has died, another one ends them as failed.
open_transfers: Final = sa.Table(
    "open_transfers",
    metadata,
    sa.Column("transfer_id", sa.String(48), primary_key=True),
    sa.Column("process", sa.String(32), nullable=False),
    sa.Column("lease_until", sa.BigInteger, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
)

# Resumable uploads: a row each until it expires. `state` says how far it is (domain/resumable.py), `staged` is the id
# of the blob that its bytes are being made, `fileset` that of the file that it became; 0 for none.
resumables: Final = sa.Table(
    "resumable_uploads",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("path", _NAME, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("datatype", sa.String(255), nullable=False),
    sa.Column("attributes", sa.Text, nullable=False),
    sa.Column("metadata", sa.Text, nullable=False),
    sa.Column("if_match", sa.Text, nullable=False),
    sa.Column("if_none_match", sa.Text, nullable=False),
    sa.Column("reject", sa.Boolean, nullable=False),
    sa.Column("writer", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, server_default="receiving"),
    sa.Column("two_step", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("token", sa.String(64), nullable=False, server_default=""),
    sa.Column("staged", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sha256", sa.String(64), nullable=False, server_default=""),
    sa.Column("digested", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("digest_state", sa.LargeBinary),
    sa.Column("process", sa.String(32), nullable=False, server_default=""),
    sa.Column("lease_until", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("fileset", sa.BigInteger, nullable=False),
    sa.Column("replaced", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("began_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)

# The names of a resumable upload's objects in a bucket, in the order of their first bytes; in a folder it has none.
pieces: Final = sa.Table(
    "resumable_pieces",
    metadata,
    sa.Column("upload", sa.String(32), sa.ForeignKey("resumable_uploads.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
)

# The bytes of folders, with all below them, and of accounts (`@NAME`) that have a quota, those in flight included.
quotas: Final = sa.Table(
    "quotas",
    metadata,
    sa.Column("path", _NAME, primary_key=True),
    sa.Column("used", sa.BigInteger, nullable=False),
)

# The bytes in flight of a folder or of an account. Those of a dead process are released; a resumable upload belongs to
# no process and keeps its reservation.
reservations: Final = sa.Table(
    "reservations",
    metadata,
    sa.Column("id", sa.String(48), primary_key=True),
    sa.Column("folder", _NAME, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("process", sa.String(32), nullable=False),
    sa.Column("lease_until", sa.BigInteger, nullable=False),
)

# Blobs that become durable before their row is committed: they are no orphans while their process lives. A resumable
# upload has its blob in `staged` instead.
staged_blobs: Final = sa.Table(
    "staged_blobs",
    metadata,
    sa.Column("fileset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("process", sa.String(32), nullable=False),
    sa.Column("lease_until", sa.BigInteger, nullable=False),
)
