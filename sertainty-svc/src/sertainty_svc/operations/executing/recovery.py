"""Let executions whose worker has died go on under the same transfer id (88)."""

from mft_common.database import Database
from mft_common.database.leases import LeaseLost
from sertainty_svc.store import executions


def recover_lost(database: Database, id_: int, owner: str | None) -> bool:
    """Queue an execution of a dead worker again; False where another worker was faster."""
    with database.write() as connection:
        found = executions.find(connection, id_)
        if found is None or found.status != "running" or found.owner != owner:
            return False
        try:
            executions.hold(connection, found)
        except LeaseLost:
            return False
        executions.update(connection, id_, status="queued", owner="", due_at=0)
    return True
