"""Define the managed transfers and the calls that wait or run, as the worker's metrics count them."""

from typing import Final

from mft_common.state_metrics import queue_of
from mqmft_svc.store.tables import managed, managed_call

_M: Final = managed.c
_C: Final = managed_call.c
TRANSFERS: Final = queue_of("transfer", _M.status, queued_at=_M.queued_at, due_at=_M.due_at)
CALLS: Final = queue_of("call", _C.phase, queued_at=_C.started_at, due_at=_C.due_at)
QUEUES: Final = (TRANSFERS, CALLS)
