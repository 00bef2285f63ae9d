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
class Group:
    """The numbers of the messages of a group; `last` is that of the last one, None before it has come."""

    numbers: set[int] = field(default_factory=set)
    last: int | None = None
    is_broken: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all messages of the group are there."""
        # As many different numbers as the last one says; one that others have put in may be of any size.
        return not self.is_broken and self.last == len(self.numbers) and self.numbers == set(range(1, self.last + 1))


def note(groups: dict[str, Group], message: Taken) -> Group | None:
    """Note a message in its group, and return that; None for a message that belongs to none."""
    name, number = message.headers.get(GROUP), message.headers.get(SEQUENCE)
    if not isinstance(name, str) or (INCOMPLETE not in message.headers and not isinstance(number, int)):
        return None
    group = groups.setdefault(name, Group())
    if INCOMPLETE in message.headers:
        group.is_broken = True
        return group
    assert isinstance(number, int)
    group.numbers.add(number)
    if message.headers.get(LAST) is True:
        group.last = number
    return group


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
        self._groups: dict[str, Group] = {}
        self._places: dict[str, dict[int, _Place]] = {}
        self._tags: set[int] = set()

    def messages(self, until: float) -> Iterator[Taken]:
        """Yield the messages of the group in its own order."""
        with self._bodies:
            name = self._find(until)
            if name is None:
                return
            places = [place for _, place in sorted(self._places[name].items())]
            self._tags = {place.message.tag for place in places}
            for place in places:
                with os_errors("a private file"):
                    self._bodies.seek(place.start)
                    body = self._bodies.read(place.size)
                yield replace(place.message, body=body)

    def settle(self) -> bool:
        """Remove the group from the queue, and give back all other messages."""
        return self._connection.settle(self._held, self._tags)

    def _find(self, until: float) -> str | None:
        """Take messages until a group is complete, and return its name.

        None where none is complete in time, or among as many messages as are held at most.
        """
        while True:
            came = False
            complete: str | None = None
            for message in self._connection.take(_AT_ONCE):
                came = True
                if complete is None:
                    complete = self._hold(message)
                self._held.append(message.tag)
            if complete is not None or len(self._held) >= self._most:
                return complete
            if not came and (time.monotonic() >= until or self._interrupt.wait(_POLL_S)):
                return None

    def _hold(self, message: Taken) -> str | None:
        """Keep a message that belongs to a group; return the name of a group that is complete by it."""
        group = note(self._groups, message)
        if group is None or group.is_broken:
            return None
        with os_errors("a private file"):
            self._bodies.seek(self._end)
            self._bodies.write(message.body)
        name: str = message.headers[GROUP]
        place = _Place(replace(message, body=b""), self._end, len(message.body))
        self._places.setdefault(name, {})[message.headers[SEQUENCE]] = place
        self._end += len(message.body)
        return name if group.is_complete else None
