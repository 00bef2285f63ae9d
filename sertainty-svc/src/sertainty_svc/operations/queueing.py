"""Queue executions of tasks for watches and timers."""

from collections.abc import Callable, Sequence
from typing import Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.clock import Clock
from mft_common.ids import TransferIds, new_request_id
from mft_common.watching import Found
from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.store import executions

_LOG: Final = "executions"

# Records an execution of a task that ends at once in error: the connection, the task, the error, the transfer's id.
EndAtOnce = Callable[[sa.Connection, StoredTask, str, str], None]


class Queueing:
    """Queues executions, each with an id of its own as a transfer of the hub."""

    def __init__(self, ids: TransferIds, now: Clock, end_at_once: EndAtOnce) -> None:
        self._ids = ids
        self._now = now
        self._end_at_once = end_at_once

    def queue(
        self, connection: sa.Connection, task: StoredTask, *, files: Sequence[Found] = (), caused_by: str | None = None
    ) -> None:
        """Queue an execution of a locked task, over a batch of files or without any.

        `caused_by` is the transfer that wrote the first of them that is known.
        """
        made = executions.queue(
            connection, task, transfer_id=self._ids.new(), now=self._now(), files=files, caused_by=caused_by,
            request_id=new_request_id(),
        )  # fmt: skip
        logs.get(_LOG).info(
            "execution.queued", configuration=task.configuration, task=task.name, number=made.number,
            transfer=made.transfer_id, files=len(files), caused_by=caused_by,
        )  # fmt: skip

    def fail(self, connection: sa.Connection, task: StoredTask, error: str) -> None:
        """Record an execution of a locked task that ends at once by its own fault: no scan can be made (80, 86)."""
        self._end_at_once(connection, task, error, self._ids.new())
