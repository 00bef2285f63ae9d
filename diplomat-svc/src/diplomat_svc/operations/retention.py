"""Delete old jobs once a day, as the configuration says (E41)."""

from collections.abc import Callable
from typing import Final

from diplomat_svc.domain.transactions import Options
from diplomat_svc.store import audits, purging
from diplomat_svc.store.tables import SWEEPS
from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.process.background_tasks import BackgroundTask, periodic_task

_FIRST_S: Final = 600.0
_EVERY_S: Final = 86_400.0


def purge_jobs_task(
    database: Database,
    options: Callable[[], Options],
    now: Clock,
    *,
    first: float = _FIRST_S,
    every: float = _EVERY_S,
) -> BackgroundTask:
    """Return the task of a worker that purges `first` seconds after its start and then each `every` seconds."""

    def purge() -> None:
        kept = options()
        deleted = purging.purge(database, now(), age=kept.histories_keep, newest=kept.histories_newest)
        waiting = {"without_audit_record": database.query(audits.count), "not_swept": database.query(SWEEPS.count)}
        logs.get("retention").info("jobs.purged", jobs=deleted, **waiting)

    return periodic_task("job-purge", purge, every=every, first=first)
