"""Define the managed transfers and the calls that wait or run, as the worker's metrics count them."""

from typing import Final

from mft_common.state_metrics import Queue
from mqmft_svc.store.tables import managed, managed_call

_WAITING: Final = ("queued",)
_RUNNING: Final = ("running",)
_M: Final = managed.c
_C: Final = managed_call.c
TRANSFERS: Final = Queue(
    kind="transfer",
    status=_M.status,
    waiting=_WAITING,
    running=_RUNNING,
    unfinished=_M.status.in_((*_WAITING, *_RUNNING)),
    queued_at=_M.queued_at,
    due_at=_M.due_at,
)
CALLS: Final = Queue(
    kind="call",
    status=_C.phase,
    waiting=_WAITING,
    running=_RUNNING,
    unfinished=_C.phase.in_((*_WAITING, *_RUNNING)),
    queued_at=_C.started_at,
    due_at=_C.due_at,
)
QUEUES: Final = (TRANSFERS, CALLS)
