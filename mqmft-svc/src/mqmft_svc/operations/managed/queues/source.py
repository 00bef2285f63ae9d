"""Read the messages of a queue as one file; they are acknowledged once that is delivered (229)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from mft_common.endpoints.contract import Entry, Reader
from mft_common.endpoints.errors import Interrupted, NotFound
from mft_common.queues.connection import QueueConnection
from mft_common.queues.messages import Taken
from mft_common.queues.settings import QueueSettings
from mft_common.transfer import Interrupt
from mft_common.transfer.digests import Digest, Digests
from mft_common.transfer.sources.read_only import BlockReader, ReadOnly
from mqmft_svc.domain.submissions import Source
from mqmft_svc.operations.managed.problems import SourceMissing
from mqmft_svc.operations.managed.queues.groups import OneGroup
from mqmft_svc.operations.managed.queues.joining import joined

# A file has this many messages at most: the digest of each is kept until they are acknowledged.
MOST_MESSAGES: Final = 200_000
# After a lost connection, or its own restart, the broker needs a while to give back what was taken.
_GRACE_S: Final = 15.0
_POLL_S: Final = 0.2


@dataclass(frozen=True)
class Messages:
    """The messages that were taken from a queue: the digest of each, and that of their bodies one after another."""

    identities: bytes
    count: int
    bodies: Digest
    is_cut: bool = False


class Taking(Protocol):
    """One way of taking messages, over one connection."""

    def messages(self, until: float) -> Iterator[Taken]:
        """Yield the messages of the file; wait for the first until that time. Nothing is yielded where none come."""
        ...

    def settle(self) -> bool:
        """Remove from the queue what was yielded, and give back the rest; return whether that is sure to be done."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether the queue had more messages than a file takes."""
        ...


class All:
    """All messages that are there when the first one is."""

    def __init__(self, connection: QueueConnection, interrupt: Interrupt, most: int = MOST_MESSAGES) -> None:
        self._connection = connection
        self._interrupt = interrupt
        self._most = most
        self._last = 0
        self.is_cut = False

    def messages(self, until: float) -> Iterator[Taken]:
        """Yield them in the order of the queue."""
        taken = 0
        while (
            not (ready := self._connection.count()) and time.monotonic() < until and not self._interrupt.wait(_POLL_S)
        ):
            pass
        if not ready:
            # Nobody may know of its messages; what is taken one after another would come back in another order.
            for message in self._connection.take(1):
                self._last = message.tag
                taken = 1
                yield message
            ready = self._connection.count() if taken else 0
        self.is_cut = ready > self._most - taken
        left = min(ready, self._most - taken)
        while left:
            came = 0
            for message in self._connection.take(left):
                self._last = message.tag
                came += 1
                yield message
            if not came:
                # Others have taken the rest.
                return
            left -= came

    def settle(self) -> bool:
        """Remove them from the queue."""
        return self._connection.settle([self._last], [self._last])


class QueueSource(ReadOnly):
    """The messages of a queue as the one file of an endpoint; each try takes them anew.

    `private` is a folder for messages that may belong to a group. `again` says that an earlier run may have had the
    messages.
    """

    def __init__(
        self, settings: QueueSettings, wanted: Source, interrupt: Interrupt, *, private: Path, md5: bool, again: bool
    ) -> None:
        super().__init__((Entry(settings.queue),))
        self._settings = settings
        self._wanted = wanted
        self._interrupt = interrupt
        self._private = private
        self._md5 = md5
        self._again = again
        self._connection: QueueConnection | None = None
        self._taking: Taking | None = None
        self._identities = bytearray()
        self._count = 0
        self._bodies = Digests(md5=md5)

    def taken(self) -> Messages:
        """Return what the last try has taken."""
        is_cut = self._taking is not None and self._taking.is_cut
        return Messages(bytes(self._identities), self._count, self._bodies.result(), is_cut)

    @property
    def holds(self) -> bool:
        """Whether the messages of the last try are this connection's to acknowledge."""
        return self._connection is not None and self._connection.alive

    def settle(self) -> bool:
        """Remove the messages from the queue; return whether that is sure to be done."""
        assert self._taking is not None
        return self._taking.settle()

    def close(self) -> None:
        """Give back what is not acknowledged."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _reader(self, entry: Entry) -> Reader:
        """Take the first message, and return a reader of all."""
        self.close()
        self._identities, self._count, self._bodies = bytearray(), 0, Digests(md5=self._md5)
        connection = self._connection = QueueConnection(self._settings, "reading", self._interrupt)
        try:
            connection.open()
        except NotFound as error:
            raise SourceMissing(str(error)) from error
        wait = max(self._wanted.message_wait_s, _GRACE_S if self._again else 0)
        self._again = True
        if self._wanted.use_groups:
            self._taking = OneGroup(connection, self._interrupt, self._private, MOST_MESSAGES)
        else:
            self._taking = All(connection, self._interrupt)
        messages = self._taking.messages(time.monotonic() + wait)
        first = next(messages, None)
        if first is None:
            if self._interrupt.is_set():
                raise Interrupted(f"{entry.path}: stopped while it was waited for messages")
            what = "has no complete group of messages" if self._wanted.use_groups else "is empty"
            raise SourceMissing(f"{entry.path}: the queue {what}")
        return BlockReader(entry, joined(self._wanted, self._noted(first, messages)), _keep)

    def _noted(self, first: Taken, others: Iterator[Taken]) -> Iterator[bytes]:
        yield self._note(first)
        for message in others:
            yield self._note(message)

    def _note(self, message: Taken) -> bytes:
        self._identities += message.identity
        self._count += 1
        self._bodies.update(message.body)
        return message.body


def _keep() -> None:
    """Keep the connection, which has the messages until they are acknowledged."""
