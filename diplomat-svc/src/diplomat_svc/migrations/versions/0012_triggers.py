"""Store which folder triggers a transaction, and which transfer's file started a job."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("transactions", sa.Column("trigger_folder", sa.Text()))
    op.create_index("transactions_trigger_folder", "transactions", ["trigger_folder"])
    op.add_column("jobs", sa.Column("caused_by", sa.String(48)))


def downgrade() -> None:
    op.drop_column("jobs", "caused_by")
    op.drop_index("transactions_trigger_folder", "transactions")
    op.drop_column("transactions", "trigger_folder")
