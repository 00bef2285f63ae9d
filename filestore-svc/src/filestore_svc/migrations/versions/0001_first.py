"""Create the tables of filestore-svc."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mft_common.events import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAME = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

_ADD = """INSERT INTO folder_counts (folder_id, stripe, files, changes) VALUES (NEW.folder_id, {stripe}, 1, 1)
    ON CONFLICT (folder_id, stripe) DO UPDATE SET files = folder_counts.files + 1, changes = folder_counts.changes + 1;
"""
_TAKE = """UPDATE folder_counts SET files = files - 1, changes = changes + 1
    WHERE folder_id = OLD.folder_id AND stripe = {stripe};
"""
# Both a name's removal and its return count in one row, so that no two transactions can wait for each other there.
_STRIPE = "hashtext({row}.name) & 15"
_FUNCTION = "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$"
_COUNTING = {
    "sqlite": (
        f"CREATE TRIGGER files_added AFTER INSERT ON files BEGIN {_ADD.format(stripe=0)} END",
        f"CREATE TRIGGER files_taken AFTER DELETE ON files BEGIN {_TAKE.format(stripe=0)} END",
    ),
    "postgresql": (
        _FUNCTION.format(name="count_added", body=_ADD.format(stripe=_STRIPE.format(row="NEW"))),
        _FUNCTION.format(name="count_taken", body=_TAKE.format(stripe=_STRIPE.format(row="OLD"))),
        "CREATE TRIGGER files_added AFTER INSERT ON files FOR EACH ROW EXECUTE FUNCTION count_added()",
        "CREATE TRIGGER files_taken AFTER DELETE ON files FOR EACH ROW EXECUTE FUNCTION count_taken()",
    ),
}
_ENDINGS = {
    "sqlite": "(" + " || ".join(f"substr(name, -{place}, 1)" for place in range(1, 9)) + ")",
    "postgresql": '("left"(reverse(name), 8))',
}


def upgrade() -> None:
    op.create_table(
        "folders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("folders.id")),
        sa.Column("path", _NAME, nullable=False, unique=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("access", sa.JSON(none_as_null=True)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("made", sa.Boolean, nullable=False),
    )
    op.create_index("folders_parent", "folders", ["parent_id", "name"])
    op.create_table(
        "files",
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
    )
    held = ["expires_at", "fileset"]
    op.create_index("files_by_name", "files", ["folder_id", "name"], unique=True, postgresql_include=held)
    op.create_index("files_by_size", "files", ["folder_id", "size", "name"], postgresql_include=held)
    op.create_index("files_by_put", "files", ["folder_id", "put_at", "name"], postgresql_include=held)
    op.create_index("files_by_read", "files", ["folder_id", "first_read_at", "name"], postgresql_include=held)
    op.create_index("files_by_expiry", "files", ["folder_id", "expires_at", "name"], postgresql_include=["fileset"])
    ending = sa.text(_ENDINGS[op.get_bind().dialect.name])
    op.create_index("files_by_end", "files", ["folder_id", ending, "name"], postgresql_include=held)
    op.create_table(
        "folder_counts",
        sa.Column("folder_id", sa.Integer, sa.ForeignKey("folders.id"), primary_key=True, autoincrement=False),
        sa.Column("stripe", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("files", sa.BigInteger, nullable=False),
        sa.Column("changes", sa.BigInteger, nullable=False),
    )
    for statement in _COUNTING[op.get_bind().dialect.name]:
        op.execute(statement)
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
    op.create_table(
        "resumable_uploads",
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
        sa.Column("fileset", sa.BigInteger, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "resumable_pieces",
        sa.Column("upload", sa.String(32), sa.ForeignKey("resumable_uploads.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
    )
    op.create_table(
        "quotas",
        sa.Column("path", _NAME, primary_key=True),
        sa.Column("used", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(48), primary_key=True),
        sa.Column("folder", _NAME, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
    )
    expiring = sa.text("expires_at > 0")
    op.create_index("files_expiring", "files", ["expires_at"], sqlite_where=expiring, postgresql_where=expiring)
    tables.create_outbox(op)


def downgrade() -> None:
    tables.drop_outbox(op)
    for name in (
        "resumable_pieces",
        "resumable_uploads",
        "open_transfers",
        "doomed_blobs",
        "filesets",
        "attributes",
        "files",
        "folder_counts",
        "folders",
    ):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION count_added, count_taken")
