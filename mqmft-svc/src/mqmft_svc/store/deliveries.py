"""Store which transfer wrote a place last, as far as a monitor may see its files."""

from typing import Final

import sqlalchemy as sa

from mft_common.database.statements import Statement
from mft_common.watching import Deliveries
from mqmft_svc.store.tables import delivery, monitor

DELIVERIES: Final = Deliveries(delivery)
_ANY_MONITOR: Final = Statement(sa.select(monitor.c.number).limit(1))


def any_monitor(connection: sa.Connection) -> bool:
    """Return whether there is a monitor: without one nobody asks for deliveries."""
    return _ANY_MONITOR.first(connection, {}) is not None
