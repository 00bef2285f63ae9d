"""Move one file from one endpoint to another: copy, verify, commit, and retry errors that may heal."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mft_common.endpoints.errors import Changed, Interrupted, TransferError, Transient
from mft_common.transfer.bandwidth import Bandwidth
from mft_common.transfer.endpoint import Endpoint, Entry, IfExists, Interrupt, Reader, Stored, Verify, Writer

_LONGEST_DELAY_S = 600.0


def _ignore(_count: int) -> None:
    """Ignore a progress or retry report (the default call-back)."""


def _allow() -> None:
    """Allow every commit (the default guard)."""


@dataclass(frozen=True)
class Moved:
    """A delivered file: its size, lower-case SHA-256, the number of retries, and the source that was read.

    `replaced` is True where another file of that name was there, None where the destination cannot tell.
    """

    size: int
    sha256: str
    retries: int
    source: Entry
    replaced: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Mover:
    """Moves the files of one job.

    `token` marks the job's unfinished files (16 to 64 upper-case hex digits). `interrupt` is checked before each block,
    in each wait and before each commit. `progress(bytes)` is called with the bytes moved of the current file, at most
    every `progress_every` seconds and at the file's end. `guard()` is called immediately before each commit and raises
    when the caller has lost the right to it. `retries` is the number of further tries after errors that may heal: the
    first after `delay` seconds, each later one after twice as long; `retrying(number)` is called before each.
    """

    token: str
    if_exists: IfExists = "replace"
    verify: Verify = "sha256"
    bandwidth: Bandwidth = field(default_factory=lambda: Bandwidth(None))
    interrupt: Interrupt = field(default_factory=threading.Event)
    progress: Callable[[int], None] = _ignore
    progress_every: float = 0.5
    retrying: Callable[[int], None] = _ignore
    guard: Callable[[], None] = _allow
    retries: int = 0
    delay: float = 5.0

    def move(self, source: Endpoint, entry: Entry, destination: Endpoint, name: str) -> Moved:
        """Copy `entry` to `name`, whole and verified, or raise a TransferError with nothing visible changed.

        The error's `tries` says how often it was tried. A commit that got no answer is repeated, not begun anew: the
        file may be there already. Deleting the source is the caller's: it knows what else must be safe before.
        """
        attempt = _Attempt()
        try:
            stored, tries = self._try(attempt, source, entry, destination, name)
        except BaseException as error:
            found = _abort(attempt.writer, error) if attempt.writer is not None else None
            if found is None or not isinstance(error, TransferError):
                raise
            stored, tries = found, error.tries
        self.progress(stored.size)
        return Moved(stored.size, stored.sha256, tries - 1, attempt.source or entry, stored.replaced)

    def _try(
        self, attempt: "_Attempt", source: Endpoint, entry: Entry, destination: Endpoint, name: str
    ) -> tuple[Stored, int]:
        """Return the stored file and the number of tries it took."""
        delay, tries = self.delay, 1
        while True:
            try:
                if attempt.writer is None:
                    attempt.writer, attempt.source = self._seal(source, entry, destination, name)
                self._check_before_commit(name)
                return attempt.writer.commit(), tries
            except TransferError as error:
                error.tries = tries
                if not error.heals or tries > self.retries:
                    raise
                if attempt.writer is not None and not isinstance(error, Transient):
                    _abort(attempt.writer, error)
                    attempt.writer = None
            self._wait(delay, name, tries)
            delay = min(delay * 2, _LONGEST_DELAY_S)
            self.retrying(tries)
            tries += 1

    def _wait(self, delay: float, name: str, tries: int) -> None:
        if self.interrupt.wait(delay):
            error = Interrupted(f"{name}: stopped while waiting for another try")
            error.tries = tries
            raise error

    def _seal(self, source: Endpoint, entry: Entry, destination: Endpoint, name: str) -> tuple[Writer, Entry]:
        """Copy the bytes under a temporary name, durably, and compare size and checksum."""
        self._check_stop(name, "before it began")
        reader = source.open(entry)
        try:
            writer = destination.writer(name, token=self.token, size=reader.entry.size, if_exists=self.if_exists)
            flow = _Flow(self, reader, name)
            try:
                writer.begin()
                writer.fill(flow.blocks())
                while not writer.seal(reader.entry.size, flow.digest.hexdigest(), self.verify):
                    self._check_stop(name, "before it was complete")
            except BaseException as error:
                _abort(writer, error)
                raise
        finally:
            reader.close()
        return writer, reader.entry

    def _check_before_commit(self, name: str) -> None:
        self._check_stop(name, "before it became visible")
        self.guard()

    def _check_stop(self, name: str, when: str) -> None:
        if self.interrupt.is_set():
            raise Interrupted(f"{name}: stopped {when}")


@dataclass
class _Attempt:
    """A sealed upload that waits for its commit, and the source from which it was read."""

    writer: Writer | None = None
    source: Entry | None = None


def _abort(writer: Writer, error: BaseException) -> Stored | None:
    """Abort an upload because of `error`; return the stored file where an unanswered commit had been carried out."""
    try:
        return writer.abort()
    except TransferError:
        if isinstance(error, TransferError):
            error.leftover = True
        return None


class _Flow:
    """The blocks of one try: hashed, counted and kept below the bandwidth while they are read."""

    def __init__(self, mover: Mover, reader: Reader, name: str) -> None:
        self.digest = hashlib.sha256()
        self._mover = mover
        self._reader = reader
        self._name = name
        self._reported_at = time.monotonic()

    def blocks(self) -> Iterator[bytes]:
        """Yield the content; raise Changed unless the source kept the size and version that it had when opened."""
        mover, size, done = self._mover, self._reader.entry.size, 0
        for block in self._reader.blocks(mover.bandwidth.block):
            if done + len(block) > size:
                raise Changed(f"{self._name}: the source grew while it was read")
            mover.bandwidth.take(len(block), mover.interrupt)
            if mover.interrupt.is_set():
                raise Interrupted(f"{self._name}: stopped at byte {done}")
            self.digest.update(block)
            yield block
            done += len(block)
            if done < size:
                self._report(done)
        self._reader.check()
        if done != size:
            raise Changed(f"{self._name}: the source shrank while it was read")

    def _report(self, done: int) -> None:
        now = time.monotonic()
        if now - self._reported_at >= self._mover.progress_every:
            self._reported_at = now
            self._mover.progress(done)
