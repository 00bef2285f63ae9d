"""Move one file from one endpoint to another: try, verify, commit, try again where that may help."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mft_common.transfer.bandwidth import Bandwidth
from mft_common.transfer.endpoint import Endpoint, Entry, IfExists, Interrupt, Reader, Stored, Verify, Writer
from mft_common.transfer.errors import Changed, Interrupted, TransferError

_LONGEST_DELAY_S = 600.0


def _nothing(_count: int) -> None:
    """Progress and retries that nobody asked for."""


def _go_on() -> None:
    """The guard of a caller that cannot lose its right to commit."""


@dataclass(frozen=True)
class Moved:
    """A file that arrived: its size, lower-case SHA-256, how often it was begun again, and the source that was read."""

    size: int
    sha256: str
    retries: int
    source: Entry
    replaced: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Mover:
    """Moves the files of one job.

    `token` marks its unfinished files (16 to 64 upper-case hex digits). `interrupt` is looked at before each block and
    in each wait. `progress(bytes)` is called with the bytes of the file at hand, at most every `progress_every` seconds
    and at its end. `guard()` is called once more right before a file becomes visible, and raises when it must not.
    `retries` counts further tries of errors that may heal, the first after `delay` seconds, each later one after twice
    as long; `retrying(number)` tells of them.
    """

    token: str
    if_exists: IfExists = "replace"
    verify: Verify = "sha256"
    bandwidth: Bandwidth = field(default_factory=lambda: Bandwidth(None))
    interrupt: Interrupt = field(default_factory=threading.Event)
    progress: Callable[[int], None] = _nothing
    progress_every: float = 0.5
    retrying: Callable[[int], None] = _nothing
    guard: Callable[[], None] = _go_on
    retries: int = 0
    delay: float = 5.0

    def move(self, source: Endpoint, entry: Entry, destination: Endpoint, name: str) -> Moved:
        """Copy `entry` to `name`, whole and verified, or raise a TransferError with nothing visible changed.

        The error's `tries` says how often it was tried. Deleting the source is the caller's: it knows what else must be
        safe before.
        """
        delay = self.delay
        for tried in range(self.retries + 1):
            try:
                return self._once(source, entry, destination, name, tried)
            except TransferError as error:
                error.tries = tried + 1
                if not error.heals or tried == self.retries:
                    raise
            if self.interrupt.wait(delay):
                raise Interrupted(f"{name}: stopped while waiting for another try")
            delay = min(delay * 2, _LONGEST_DELAY_S)
            self.retrying(tried + 1)
        raise AssertionError("the last try returns or raises")

    def _once(self, source: Endpoint, entry: Entry, destination: Endpoint, name: str, tried: int) -> Moved:
        if self.interrupt.is_set():
            raise Interrupted(f"{name}: stopped before it began")
        reader = source.open(entry)
        try:
            writer = destination.writer(name, token=self.token, size=reader.entry.size, if_exists=self.if_exists)
            stored = self._write(reader, writer, name)
        finally:
            reader.close()
        return Moved(stored.size, stored.sha256, tried, reader.entry, stored.replaced)

    def _write(self, reader: Reader, writer: Writer, name: str) -> Stored:
        flow = _Flow(self, reader, name)
        try:
            writer.begin()
            writer.fill(flow.blocks())
            writer.seal(reader.entry.size, flow.digest.hexdigest(), self.verify)
            self._last_look(name)
            stored = writer.commit()
        except BaseException as error:
            try:
                writer.abort()
            except TransferError:
                if isinstance(error, TransferError):
                    error.leftover = True
            raise
        self.progress(stored.size)
        return stored

    def _last_look(self, name: str) -> None:
        if self.interrupt.is_set():
            raise Interrupted(f"{name}: stopped before it became visible")
        self.guard()


class _Flow:
    """The blocks of one try, hashed, counted and slowed down on their way."""

    def __init__(self, mover: Mover, reader: Reader, name: str) -> None:
        self.digest = hashlib.sha256()
        self._mover = mover
        self._reader = reader
        self._name = name
        self._told_at = time.monotonic()

    def blocks(self) -> Iterator[bytes]:
        """Yield the content; the last block leaves only after the source was found unchanged.

        An endpoint that makes a file visible by its last byte therefore never gets that byte of a source that changed,
        of a job that was stopped, or of an owner that is no longer one.
        """
        mover, size, done = self._mover, self._reader.entry.size, 0
        held: bytes | None = None
        for block in self._reader.blocks(mover.bandwidth.block):
            if held is not None:
                done += len(held)
                yield held
                self._tell(done)
            if done + len(block) > size:
                raise Changed(f"{self._name}: the source grew while it was read")
            mover.bandwidth.take(len(block), mover.interrupt)
            if mover.interrupt.is_set():
                raise Interrupted(f"{self._name}: stopped at byte {done}")
            self.digest.update(block)
            held = block
        self._reader.check()
        if done + len(held or b"") != size:
            raise Changed(f"{self._name}: the source shrank while it was read")
        mover._last_look(self._name)  # noqa: SLF001 -- the two classes are one room
        if held is not None:
            yield held

    def _tell(self, done: int) -> None:
        now = time.monotonic()
        if now - self._told_at >= self._mover.progress_every:
            self._told_at = now
            self._mover.progress(done)
