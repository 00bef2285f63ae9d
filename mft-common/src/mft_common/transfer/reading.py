"""Read a source ahead of the writer, and digest it on the way."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from mft_common.endpoints.contract import Reader
from mft_common.endpoints.errors import Changed, Interrupted
from mft_common.transfer.digests import Digests
from mft_common.transfer.interrupt import Interrupt

# Blocks that are read ahead; with one at each end of the queue at most six are in memory.
_AHEAD = 4
_POLL_S = 0.25
_END_S = 1.0


@dataclass(frozen=True)
class Piece:
    """A block of the source, the position after it, and the digests of all bytes up to there."""

    block: bytes
    digests: Digests

    @property
    def end(self) -> int:
        """The position after the block."""
        return self.digests.size


def pieces(reader: Reader, digests: Digests, size: int, name: str) -> Iterator[Piece]:
    """Yield the blocks of a reader that begins where `digests` end; Changed where the size is not the source's own."""
    whole = reader.entry.size
    while block := reader.read(size):
        digests.update(block)
        if whole is not None and digests.size > whole:
            raise Changed(f"{name}: the source grew while it was read")
        yield Piece(block, digests.copy())
    reader.check()
    if whole is not None and digests.size != whole:
        raise Changed(f"{name}: the source shrank while it was read")


class ReadAhead:
    """Runs `pieces` in a thread of its own, and gives them to the one that writes.

    The thread closes the reader at its end. `close` waits a moment for a read that is under way; where the far side
    does not answer, the thread is left to its time limit, and `hung` is True until then: nothing else may use the
    endpoint.
    """

    def __init__(self, source: Iterator[Piece], reader: Reader, interrupt: Interrupt, name: str) -> None:
        self._source = source
        self._reader = reader
        self._interrupt = interrupt
        self._name = name
        self._queue: queue.Queue[Piece | BaseException | None] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Piece]:
        """Yield the pieces; raise what reading raised, and Interrupted while nothing comes."""
        while True:
            try:
                found = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                if self._interrupt.is_set():
                    raise Interrupted(f"{self._name}: stopped while the source was read") from None
                continue
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            yield found

    @property
    def hung(self) -> bool:
        """Whether a read is still under way."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the thread, which closes the reader; wait a moment for it."""
        self._stopped.set()
        self._thread.join(_END_S)

    def wait(self) -> None:
        """Wait until a read that is under way has ended; Interrupted when a stop is asked for meanwhile."""
        while self.hung:
            if self._interrupt.is_set():
                raise Interrupted(f"{self._name}: stopped while the source did not answer")
            self._thread.join(_POLL_S)

    def _run(self) -> None:
        try:
            self._read()
        finally:
            self._reader.close()

    def _read(self) -> None:
        try:
            for piece in self._source:
                if not self._put(piece):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that writes
            self._put(error)

    def _put(self, item: Piece | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
