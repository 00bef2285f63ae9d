"""Make the table of the configuration that was applied last."""

from alembic import op

from mft_common import applied_configuration

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    applied_configuration.create_table(op)


def downgrade() -> None:
    applied_configuration.drop_table(op)
