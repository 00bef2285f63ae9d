"""Write a file into a queue: its messages are visible together, or the last one says that they are not all (228)."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mft_common.endpoints.contract import Begins, Checkpoint, Features, IfExists, Stored, Verify, note_nothing
from mft_common.endpoints.errors import Mismatch, NotFound, OutcomeUnknown, TransferError, Transient
from mft_common.queues.connection import QueueConnection
from mft_common.queues.messages import GROUP, LAST, SEQUENCE, Outgoing
from mft_common.queues.settings import QueueSettings
from mft_common.transfer import Interrupt
from mft_common.transfer.digests import Digest, Digests
from mft_common.transfer.sources.bare import BareEndpoint
from mqmft_svc.operations.managed.queues.incomplete import BrokenOff, mark_incomplete
from mqmft_svc.operations.managed.queues.splitting import Splitter

# What one AMQP transaction may hold, in bytes.
MOST_TRANSACTION: Final = 64 << 20
_BATCH_BYTES: Final = 1 << 20
_BATCH: Final = 500
# The bytes of a transaction that may be on their way to the broker.
_AHEAD: Final = 8 << 20
_FEATURES: Final = Features(listing=False, renaming=False, deleting=False, visible_at_commit=True)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How the messages of a file are made.

    `group` is the id of the message, or with `grouped` of the group of messages. `headers` are those of each message.
    `opens` is called before messages become visible one after another; it raises where they may not.
    """

    group: str
    grouped: bool
    splitter: Callable[[], Splitter]
    headers: Mapping[str, Any] = field(default_factory=dict)
    opens: Callable[[], None] = lambda: None
    md5: bool = False
    most: int = MOST_TRANSACTION


@dataclass(frozen=True)
class Sent:
    """The messages that were put into the queue: their number, and the digest of their bodies one after another."""

    count: int
    bodies: Digest


class QueueTarget(BareEndpoint):
    """A queue that takes one file; `sent` is what it was given by the last try."""

    features = _FEATURES

    def __init__(self, settings: QueueSettings, delivery: Delivery, interrupt: Interrupt) -> None:
        self.settings = settings
        self.delivery = delivery
        self.interrupt = interrupt
        self.sent: Sent | None = None
        # Set once a part of the file was visible and the rest did not come: there is no other try.
        self.broken = ""

    def writer(
        self, path: str, *, token: str, size: int | None = None, resume: Checkpoint | None = None,
        modified_at: int | None = None, if_exists: IfExists = "replace",
    ) -> "QueueWriter":  # fmt: skip
        """Return a writer; there is nothing to replace and nothing to go on with."""
        del path, token, size, resume, modified_at, if_exists
        return QueueWriter(self)


class QueueWriter:
    """A file on its way into a queue, in one transaction as long as that may hold it, then in confirmed batches."""

    def __init__(self, target: QueueTarget) -> None:
        self._target = target
        self._delivery = target.delivery
        self._queue = target.settings.queue
        self._splitter = target.delivery.splitter()
        self._connection = QueueConnection(target.settings, "transaction", target.interrupt)
        self._begins: Begins = note_nothing
        # Whether messages are visible before the last one, and whether the last one is there.
        self._open = False
        self._done = False
        # The message that is not sent yet, because it may be the last; those of the next batch.
        self._pending: bytes | None = None
        self._batch: list[Outgoing] = []
        self._batched = self._ahead = 0
        self._fed = hashlib.sha256()
        self._size = self._count = 0
        self._bodies = Digests(md5=target.delivery.md5)

    @property
    def temporary(self) -> str:
        """The id of the group that is visible and not complete."""
        return self._delivery.group if self._open and not self._done else ""

    def begin(self, begins: Begins = note_nothing) -> int:
        """Find the queue."""
        if self._target.broken:
            raise BrokenOff(self._target.broken)
        self._begins = begins
        self._connection.open()
        # Not before the broker has answered: a file that has begun is gone on with when it is away.
        begins("")
        return 0

    def feed(self, block: bytes | memoryview) -> None:
        """Send the messages that are complete."""
        data = bytes(block)
        self._size += len(data)
        self._fed.update(data)
        for body in self._splitter.feed(data):
            self._put(body)

    def flush(self) -> Checkpoint:
        """Return that nothing is safe."""
        return Checkpoint(0)

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Send all messages, the last one only where none is visible before the commit."""
        if size != self._size or (verify == "sha256" and sha256 != self._fed.hexdigest()):
            raise Mismatch(f"{self._queue}: the messages have other bytes than those that were read")
        for body in self._splitter.finish():
            self._put(body)
        if self._open:
            self._send_batch()
        self._last()
        if not self._open:
            self._send_batch()
            self._connection.count()
        self._target.sent = Sent(self._count, self._bodies.result())
        return True

    def commit(self) -> Stored:
        """Make the messages visible; there is no second try where the broker does not answer."""
        if not self._connection.alive and not self._open:
            raise Mismatch(f"{self._queue}: the connection was lost with the transaction")
        try:
            if self._open:
                self._connection.confirm(self._batch)
            else:
                self._connection.commit()
        except NotFound:
            raise
        except Transient as error:
            self._done = True
            raise OutcomeUnknown(
                f"{self._queue}: it is not known whether the messages are in the queue, and they are not sent twice: "
                f"{error}"
            ) from error
        except TransferError as error:
            # The broker may have taken some of them.
            self._open = True
            raise self._broken(error) from error
        self._done = True
        self._connection.close()
        return Stored(self._size, self._fed.hexdigest())

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Leave nothing visible; where messages are already, another one says that they are not all."""
        del keep
        self._connection.close()
        if self.temporary:
            self._target.broken = self._target.broken or "the file broke off after a part of it was sent"
            mark_incomplete(self._target.settings, self._delivery.group, self._count + 1)
            self._done = True
            self._begins("")
        return None

    def _put(self, body: bytes) -> None:
        if self._pending is not None:
            self._add(self._pending, is_last=False)
        self._pending = body

    def _last(self) -> None:
        assert self._pending is not None
        self._add(self._pending, is_last=True)

    def _add(self, body: bytes, *, is_last: bool) -> None:
        if not self._open and self._bodies.size + len(body) > self._delivery.most:
            self._open_up()
        self._count += 1
        self._bodies.update(body)
        self._batch.append(self._message(body, is_last=is_last))
        self._batched += len(body)
        if not is_last and (self._batched >= _BATCH_BYTES or len(self._batch) >= _BATCH):
            self._send_batch()

    def _message(self, body: bytes, *, is_last: bool) -> Outgoing:
        delivery = self._delivery
        if not delivery.grouped:
            return Outgoing(delivery.group, body, delivery.headers)
        number = {GROUP: delivery.group, SEQUENCE: self._count, LAST: is_last}
        return Outgoing(f"{delivery.group[:-8]}{self._count:08X}", body, {**delivery.headers, **number})

    def _send_batch(self) -> None:
        batch, self._batch = self._batch, []
        self._ahead += self._batched
        self._batched = 0
        if not batch:
            return
        if self._open:
            try:
                self._connection.confirm(batch)
            except TransferError as error:
                raise self._broken(error) from error
            return
        self._connection.send(batch)
        if self._ahead >= _AHEAD:
            self._connection.count()
            self._ahead = 0

    def _open_up(self) -> None:
        """Make visible what the transaction holds, and go on without one."""
        self._send_batch()
        self._connection.count()
        self._delivery.opens()
        self._begins(self._delivery.group)
        # From here on a part may be visible, whatever happens.
        self._open = True
        try:
            self._connection.commit()
            self._connection.close()
            self._connection = QueueConnection(self._target.settings, "confirms", self._target.interrupt)
            self._connection.open()
        except TransferError as error:
            raise self._broken(error) from error

    def _broken(self, error: TransferError) -> TransferError:
        """Return the error for which no other try follows; a request to stop stays what it is."""
        if not error.heals:
            return error
        self._target.broken = f"the file broke off after a part of it was sent: {error}"
        return BrokenOff(self._target.broken)
