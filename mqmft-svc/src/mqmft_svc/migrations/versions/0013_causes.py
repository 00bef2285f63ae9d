"""Make the table of which transfer wrote a file, and add to managed transfers which one caused them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("place", sa.LargeBinary(16), primary_key=True),
        sa.Column("transfer", sa.String(48), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("delivery_at", "delivery", ["at"])
    op.add_column("managed", sa.Column("caused_by", sa.String(48)))


def downgrade() -> None:
    op.drop_column("managed", "caused_by")
    op.drop_table("delivery")
