"""Delete old jobs once a day, as the configuration says (E41)."""

import threading
from collections.abc import Callable
from typing import Final

from diplomat_svc.domain.transactions import Options
from diplomat_svc.store import purging
from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.errors import Unavailable
from mft_common.process.background_tasks import BackgroundTask

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

    def run(stop: threading.Event) -> None:
        pause = first
        while not stop.wait(pause):
            pause = every
            try:
                kept = options()
                deleted = purging.purge(database, now(), age=kept.histories_keep, newest=kept.histories_newest)
            except Unavailable as error:
                logs.get("retention").warning("jobs.purge_failed", error=str(error))
                pause = first
            else:
                logs.get("retention").info("jobs.purged", jobs=deleted)

    return BackgroundTask("job-purge", run)
