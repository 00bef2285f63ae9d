"""Let workers be alive by leases, whose times are those of one clock.

A worker of the earlier version that still runs finds its row gone and ends its jobs, as after any lapse.
"""

import sqlalchemy as sa
from alembic import op

from mft_common.database import leases

revision = "0005"
down_revision = "0004"

# An earlier worker is taken for one that died, so that its jobs end.
_MOVE = """
    INSERT INTO leases (key, owner, fence, until, clock)
    SELECT 'worker/' || owner, owner, 1, 0, '' FROM workers
"""
_MOVE_BACK = "INSERT INTO workers (owner, until) SELECT owner, 0 FROM leases WHERE key LIKE 'worker/%' AND owner <> ''"


def upgrade() -> None:
    leases.create_table(op)
    op.execute(_MOVE)
    op.drop_table("workers")


def downgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.execute(_MOVE_BACK)
    leases.drop_table(op)
