"""Create the tables of filestore-svc."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mft_common.events import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NAME = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "folders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("folders.id")),
        sa.Column("path", _NAME, nullable=False, unique=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("access", sa.JSON(none_as_null=True)),
        sa.Column("active", sa.Boolean, nullable=False),
    )
    op.create_index("folders_parent", "folders", ["parent_id", "name"])
    op.create_table(
        "files",
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
    op.create_table(
        "attributes",
        sa.Column("fileset", sa.BigInteger, sa.ForeignKey("files.fileset", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", _NAME, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    counter = op.create_table(
        "filesets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counter, [{"id": 1, "next": 1}])
    op.create_table(
        "doomed_blobs",
        sa.Column("fileset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "open_transfers",
        sa.Column("transfer_id", sa.String(48), primary_key=True),
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
    )
    tables.create_outbox(op)


def downgrade() -> None:
    tables.drop_outbox(op)
    for name in ("open_transfers", "doomed_blobs", "filesets", "attributes", "files", "folders"):
        op.drop_table(name)
