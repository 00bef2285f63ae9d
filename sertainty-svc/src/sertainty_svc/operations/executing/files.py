"""Know the files of an execution: those that move or have changed are in memory, all others in the database."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.events.catalogue.transfers import MAX_ITEMS
from sertainty_svc.domain.executions import ExecutionFile, FileCounts
from sertainty_svc.operations.running.messages import PAGE
from sertainty_svc.store import execution_files

_EVENT_EVERY_MS: Final = 1000
_MOVES: Final = ("moving", "delivered")
_PAGE_BYTES: Final = 1 << 20
_FILE_BYTES: Final = 2048


class KnownFiles:
    """The files of one execution, for one thread at a time; positions have no gaps.

    It knows which of them are not stored yet as they are, and of which no event has told.
    """

    def __init__(self, database: Database, execution: int, now: Clock) -> None:
        self._database = database
        self._execution = execution
        self._now = now
        self._files: dict[int, ExecutionFile] = {}
        self._counts: FileCounts | None = None
        self._unstored: set[int] = set()
        self._untold: set[int] = set()
        self._told_at = 0

    def load(self) -> FileCounts:
        """Read the files of earlier workers once, to count them; return the counts, which follow each change."""
        if self._counts is None:
            counts = FileCounts()
            with self._database.read() as connection:
                for file in execution_files.each(connection, self._execution):
                    counts.add(file)
            self._counts = counts
        return self._counts

    def __getitem__(self, position: int) -> ExecutionFile:
        """Return a file as it is now; KeyError."""
        if position not in self._files:
            with self._database.read() as connection:
                found = execution_files.find(connection, self._execution, position)
            if found is None:
                raise KeyError(position)
            self._files[position] = found
        return self._files[position]

    def put(self, *files: ExecutionFile) -> None:
        """Take files that are new or have changed."""
        counts = self.load()
        for one in files:
            if one.position < counts.files:
                counts.remove(self[one.position])
            counts.add(one)
            self._files[one.position] = one
            self._unstored.add(one.position)
            self._untold.add(one.position)

    def page(self, after: int) -> list[dict[str, Any]]:
        """Return some of the stored files behind a position that are not over, as plain data."""
        # A message has a limit of bytes.
        page: list[dict[str, Any]] = []
        size = 0
        with self._database.read() as connection:
            for file in execution_files.each(connection, self._execution, after, not_over=True):
                page.append(file.to_json())
                # A character has six bytes at most in a message.
                size += _FILE_BYTES + 6 * (len(file.path) + len(file.destination) + len(file.description))
                if size > _PAGE_BYTES or len(page) == PAGE:
                    break
        return page

    @property
    def are_stored(self) -> bool:
        """Whether all files are in the database as they are."""
        return not self._unstored

    def store(self, connection: sa.Connection) -> None:
        """Store the files that changed; `stored` follows after the commit."""
        changed = [self._files[position] for position in sorted(self._unstored)]
        execution_files.put(connection, self._execution, changed)

    def stored(self) -> None:
        """Note that the transaction of `store` was committed."""
        self._unstored.clear()

    @property
    def event_is_due(self) -> bool:
        """Whether the next event of progress is due: one a second, and one for as many files as it takes."""
        # A clock that was set back lets an event be sent early, and not an hour without one pass.
        return not 0 <= self._now() - self._told_at < _EVENT_EVERY_MS or len(self._untold) >= MAX_ITEMS

    def untold(self) -> Sequence[ExecutionFile]:
        """Return the files that changed since the last event."""
        return [self._files[position] for position in sorted(self._untold)]

    def told(self) -> None:
        """Note that an event has told of all files, or none will."""
        self._told_at = self._now()
        self._untold.clear()
        self._files = {position: one for position, one in self._files.items() if one.state in _MOVES}
