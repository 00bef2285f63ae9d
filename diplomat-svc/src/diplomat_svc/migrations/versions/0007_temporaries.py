"""Store the names of a file's unfinished copies, by which they are found at a far side that cannot list them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("files", sa.Column("temporaries", sa.Text(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("files", "temporaries")
