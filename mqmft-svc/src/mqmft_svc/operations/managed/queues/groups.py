"""Find one complete group among the messages of a queue (229)."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from mft_common.endpoints.errors import os_errors
from mft_common.queues.connection import QueueConnection
from mft_common.queues.messages import GROUP, LAST, SEQUENCE, Taken
from mft_common.transfer import Interrupt
from mqmft_svc.operations.managed.queues.incomplete import INCOMPLETE

_POLL_S: Final = 0.2
# Messages that are taken before it is seen whether a group is complete, and the bytes of them that stay in memory.
_AT_ONCE: Final = 100
_IN_MEMORY: Final = 8 << 20


@dataclass(frozen=True)
class _Place:
    """A message that is held, and where its body is."""

    message: Taken
    start: int
    size: int


@dataclass
class _Group:
    """The messages of a group by their numbers; `last` is the number of the last one, None before it has come."""

    places: dict[int, _Place] = field(default_factory=dict)
    last: int | None = None
    is_broken: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all messages of the group are there."""
        # As many different numbers as the last one says; one that others have put in may be of any size.
        return (
            not self.is_broken and self.last == len(self.places) and self.places.keys() == set(range(1, self.last + 1))
        )


class OneGroup:
    """The messages of the first group that is complete; all others go back into the queue at the end.

    Bodies of messages that may belong to it are kept in a file below `private`.
    """

    is_cut = False

    def __init__(self, connection: QueueConnection, interrupt: Interrupt, private: Path, most: int) -> None:
        self._connection = connection
        self._interrupt = interrupt
        self._most = most
        with os_errors("a private file"):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._bodies = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(private))  # noqa: SIM115 -- closed by `messages`
        self._end = 0
        self._held: list[int] = []
        self._groups: dict[str, _Group] = {}
        self._tags: set[int] = set()

    def messages(self, until: float) -> Iterator[Taken]:
        """Yield the messages of the group in its own order."""
        with self._bodies:
            group = self._find(until)
            if group is None:
                return
            assert group.last is not None
            places = [group.places[number] for number in range(1, group.last + 1)]
            self._tags = {place.message.tag for place in places}
            for place in places:
                with os_errors("a private file"):
                    self._bodies.seek(place.start)
                    body = self._bodies.read(place.size)
                yield replace(place.message, body=body)

    def settle(self) -> bool:
        """Remove the group from the queue, and give back all other messages."""
        return self._connection.settle(self._held, self._tags)

    def _find(self, until: float) -> _Group | None:
        """Take messages until a group is complete; None where none is in time, or among the most that are held."""
        while True:
            came = False
            complete = None
            for message in self._connection.take(_AT_ONCE):
                came = True
                group = self._hold(message)
                if complete is None and group is not None and group.is_complete:
                    complete = group
            if complete is not None or len(self._held) >= self._most:
                return complete
            if not came and (time.monotonic() >= until or self._interrupt.wait(_POLL_S)):
                return None

    def _hold(self, message: Taken) -> _Group | None:
        """Keep a message that belongs to a group; return that."""
        self._held.append(message.tag)
        name, number = message.headers.get(GROUP), message.headers.get(SEQUENCE)
        if not isinstance(name, str) or (INCOMPLETE not in message.headers and not isinstance(number, int)):
            return None
        group = self._groups.setdefault(name, _Group())
        if INCOMPLETE in message.headers:
            group.is_broken = True
            return group
        assert isinstance(number, int)
        with os_errors("a private file"):
            self._bodies.seek(self._end)
            self._bodies.write(message.body)
        group.places[number] = _Place(replace(message, body=b""), self._end, len(message.body))
        self._end += len(message.body)
        if message.headers.get(LAST) is True:
            group.last = number
        return group
