"""Hold the entries for the log of a task that an execution has made and not stored yet."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common.clock import Clock
from sertainty_svc.domain.executions import Execution
from sertainty_svc.store import logs, tasks

_MANY: Final = 2_000


class PendingEntries:
    """Entries of one execution with their times, for one thread at a time."""

    def __init__(self, execution: Execution, now: Clock) -> None:
        self._execution = execution
        self._now = now
        self._entries: list[tuple[int, Mapping[str, Any]]] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._entries)

    @property
    def are_many(self) -> bool:
        """Whether they are to be stored before more are taken: neither a transaction nor the memory may grow."""
        return len(self._entries) >= _MANY

    def add(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Take entries as messages LOG have them."""
        now = self._now()
        self._entries += [(now, entry) for entry in entries]

    def store(self, connection: sa.Connection) -> None:
        """Store the entries; `stored` follows after the commit."""
        one = self._execution
        # The log of a task that is gone was deleted with it.
        if self._entries and tasks.by_id(connection, one.task_id) is not None:
            logs.append_all_to_task(connection, one.log, one.number, self._entries)

    def stored(self) -> None:
        """Forget the entries: they are stored, or nobody asks for them."""
        self._entries.clear()
