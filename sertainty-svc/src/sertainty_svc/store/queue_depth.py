"""Define the executions that wait or run, as the worker's metrics count them."""

from typing import Final

from mft_common.state_metrics import Queue
from sertainty_svc.store.tables import execution

_C: Final = execution.c
_WAITING: Final = ("queued",)
_RUNNING: Final = ("running",)
EXECUTIONS: Final = Queue(
    kind="execution",
    status=_C.status,
    waiting=_WAITING,
    running=_RUNNING,
    unfinished=_C.status.in_((*_WAITING, *_RUNNING)),
    queued_at=_C.queued_at,
    due_at=_C.due_at,
)
