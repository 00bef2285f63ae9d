"""Define the executions that wait or run, as the worker's metrics count them."""

from typing import Final

from mft_common.state_metrics import queue_of
from sertainty_svc.store.tables import execution

_C: Final = execution.c
EXECUTIONS: Final = queue_of("execution", _C.status, queued_at=_C.queued_at, due_at=_C.due_at)
