"""Give resumable uploads a state, an explicit commit and the process that completes them; add the staged blobs."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXTS = {"state": (16, "receiving"), "token": (64, ""), "sha256": (64, ""), "process": (32, "")}
_NUMBERS = ("staged", "replaced", "lease_until")


def upgrade() -> None:
    for name, (length, default) in _TEXTS.items():
        column = sa.Column(name, sa.String(length), nullable=False, server_default=default)
        op.add_column("resumable_uploads", column)
    for name in _NUMBERS:
        op.add_column("resumable_uploads", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("resumable_uploads", sa.Column("two_step", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("UPDATE resumable_uploads SET state = 'complete' WHERE fileset <> 0")
    op.create_table(
        "staged_blobs",
        sa.Column("fileset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("staged_blobs")
    for name in ("two_step", *_NUMBERS, *_TEXTS):
        op.drop_column("resumable_uploads", name)
