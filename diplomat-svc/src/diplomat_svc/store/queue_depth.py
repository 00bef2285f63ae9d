"""Define the jobs that wait or run, as the worker's metrics count them."""

from typing import Final

from diplomat_svc.domain.states import ACTIVE, WAITING
from diplomat_svc.store.job_statements import NOT_OVER
from diplomat_svc.store.tables import jobs
from mft_common.state_metrics import Queue

_C: Final = jobs.c
JOBS: Final = Queue(
    kind="job",
    status=_C.status,
    waiting=WAITING,
    running=ACTIVE,
    unfinished=NOT_OVER,
    queued_at=_C.scheduled_at,
    due_at=_C.due_at,
)
