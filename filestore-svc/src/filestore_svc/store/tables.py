"""Define the tables of filestore-svc, its outbox among them.

Names sort and compare by Unicode code point on every database: SQLite does, PostgreSQL is told to. (S31) Times are
milliseconds since the epoch; 0 stands for "never", which sorts lowest and lets every sort key have a plain index. (D12)
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from filestore_svc.settings import SERVICE
from mft_common.events.outbox import Outbox

metadata: Final = sa.MetaData()
outbox: Final = Outbox(SERVICE, metadata)

_NAME: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

folders: Final = sa.Table(
    "folders",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("folders.id")),
    sa.Column("path", _NAME, nullable=False, unique=True),
    sa.Column("name", _NAME, nullable=False),
    # The folder's own access list, account -> rights; null where it inherits its parent's.
    sa.Column("access", sa.JSON(none_as_null=True)),
    # False once the configuration no longer has it: its files stay, and nobody sees them until it is back.
    sa.Column("active", sa.Boolean, nullable=False),
)
sa.Index("folders_parent", folders.c.parent_id, folders.c.name)

files: Final = sa.Table(
    "files",
    metadata,
    sa.Column("fileset", sa.BigInteger, primary_key=True, autoincrement=False),
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
    sa.UniqueConstraint("folder_id", "name"),
)

# Custom metadata belongs to one content, not to a name.
attributes: Final = sa.Table(
    "attributes",
    metadata,
    sa.Column("fileset", sa.BigInteger, sa.ForeignKey("files.fileset", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", _NAME, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# The one row says up to where fileset ids were given out; ids taken and not used are lost, and never come again.
filesets: Final = sa.Table(
    "filesets",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("next", sa.BigInteger, nullable=False),
)

# Blobs that no row needs any longer, and since when: readers that looked a moment ago still get to open them.
doomed: Final = sa.Table(
    "doomed_blobs",
    metadata,
    sa.Column("fileset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("since", sa.BigInteger, nullable=False),
)

# Transfers that were announced and have not ended: whoever finds their process dead ends them as failed.
open_transfers: Final = sa.Table(
    "open_transfers",
    metadata,
    sa.Column("transfer_id", sa.String(48), primary_key=True),
    sa.Column("process", sa.String(32), nullable=False),
    sa.Column("lease_until", sa.BigInteger, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
)
