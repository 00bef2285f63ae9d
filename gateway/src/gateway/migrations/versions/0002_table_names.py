"""Name the tables of the login throttle and of single values by what they hold."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_index("brake_clear_at", "brake")
    op.rename_table("brake", "login_throttle")
    op.create_index("login_throttle_clear_at", "login_throttle", ["clear_at"])
    op.rename_table("kept", "key_values")


def downgrade() -> None:
    op.rename_table("key_values", "kept")
    op.drop_index("login_throttle_clear_at", "login_throttle")
    op.rename_table("login_throttle", "brake")
    op.create_index("brake_clear_at", "brake", ["clear_at"])
