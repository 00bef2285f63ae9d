"""Store the names of a file's copies in the archives of its transaction."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("files", sa.Column("archived", sa.Text(), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("files", "archived")
