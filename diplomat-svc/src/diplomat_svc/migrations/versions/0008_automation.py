"""Make the tables of timers, watched folders and notifications."""

from alembic import op

from mft_common import notify, schedules, watching

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    schedules.create_table(op)
    watching.create_tables(op)
    notify.create_table(op)


def downgrade() -> None:
    notify.drop_table(op)
    watching.drop_tables(op)
    schedules.drop_table(op)
