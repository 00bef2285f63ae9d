"""Copy one file under a temporary name, over as many tries as its caller makes."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mft_common.endpoints.contract import Checkpoint, Endpoint, Entry, IfExists, Reader, Stored, Verify, Writer
from mft_common.endpoints.errors import Changed, Interrupted, Mismatch, OutcomeUnknown, TransferError
from mft_common.transfer.aborting import abort_because
from mft_common.transfer.bandwidth import Bandwidth
from mft_common.transfer.checkpoints import MoveCheckpoint
from mft_common.transfer.digests import Digest, Digests
from mft_common.transfer.interrupt import Interrupt
from mft_common.transfer.reading import Piece, ReadAhead, pieces
from mft_common.transfer.steps import MakeSteps, Step
from mft_common.transfer.steps.chain import finished, new_steps, through

# A source up to this size is read without a thread of its own.
_SMALL: Final = 4 << 20
# Between two checkpoints lies at least a twentieth of the file, within these bounds.
_LEAST_BETWEEN: Final = 1 << 20
_MOST_BETWEEN: Final = 64 << 20
_PARTS: Final = 20


@dataclass(frozen=True, kw_only=True)
class CopyOptions:
    """How a file is copied; `engine.Mover` says what each of these is."""

    token: str
    if_exists: IfExists
    verify: Verify
    steps: MakeSteps | None
    md5: bool
    keep_time: bool
    bandwidth: Bandwidth
    interrupt: Interrupt
    begins: Callable[[str], None]
    progress: Callable[[int], None]
    progress_every: float
    checkpointed: Callable[[Mapping[str, Any]], None]
    checkpoint_every: float


@dataclass(frozen=True)
class Copied:
    """The entry and digests of a copy: of the bytes read and of those written, `resumed` of them by an earlier try."""

    entry: Entry
    source: Digest
    delivered: Digest
    resumed: int


class Copy:
    """One file on its way: `seal` as often as tries are made, then `commit`; `abort` ends it."""

    def __init__(
        self, options: CopyOptions, *, source: Endpoint, entry: Entry, destination: Endpoint, path: str,
        checkpoint: MoveCheckpoint | None,
    ) -> None:  # fmt: skip
        self.sealed = False
        self._options = options
        self._source = source
        self._entry = entry
        self._destination = destination
        self._path = path
        self._checkpoint = checkpoint
        self._writer: Writer | None = None
        self._result: Copied | None = None
        # What reads the source for an earlier try and has got no answer yet.
        self._hung: ReadAhead | None = None
        able = source.features.resume_read and destination.features.resume_write
        self._can_resume = able and options.steps is None
        self._resumed = 0
        # The names of unfinished files of earlier tries that could not be removed.
        self._unremoved: set[str] = set()
        self._committed = ""

    def result(self) -> Copied:
        """Return what was read and written; after `seal`."""
        assert self._result is not None
        return self._result

    def seal(self) -> None:
        """Copy the bytes under a temporary name, durably, and compare size and checksum."""
        self._wait_for_the_source()
        reader, digests, position = self._resume() or self._begin()
        assert self._writer is not None
        flow = _Flow(
            self._options, writer=self._writer, reader=reader, path=self._path, position=position, safe=self._safe
        )
        try:
            source, delivered = flow.run(digests, resumable=self._can_resume and bool(reader.entry.version))
            while not self._writer.seal(delivered.size, delivered.sha256, self._options.verify):
                if self._options.interrupt.is_set():
                    raise Interrupted(f"{self._path}: stopped before it was complete")
        finally:
            self._hung = flow.close()
        self._result = Copied(reader.entry, source, delivered, self._resumed)
        self.sealed = True

    def commit(self) -> Stored:
        """Make the sealed file visible."""
        assert self._writer is not None
        self._committed = self._writer.temporary
        return self._writer.commit()

    @property
    def unremoved(self) -> bool:
        """Whether an unfinished file of an earlier try could not be removed, other than the one that was committed."""
        return bool(self._unremoved - {self._committed})

    def prepare_again(self, error: TransferError) -> None:
        """Make ready for another try after an error that may heal: keep what can be gone on with, remove the rest."""
        if isinstance(error, Changed | Mismatch):
            self._checkpoint = None
        if self.sealed and not isinstance(error, Changed | Mismatch):
            # The commit got no answer: it is repeated.
            return
        self.sealed = False
        writer, self._writer = self._writer, None
        if writer is not None:
            # A file that is not sealed was not committed; a commit that may be begun anew replaces what there is.
            with contextlib.suppress(OutcomeUnknown):
                abort_because(writer, error, self._options.interrupt, keep=self._checkpoint is not None)
            if error.leftover:
                self._unremoved.add(writer.temporary)

    def abort(self, error: BaseException, *, keep: bool) -> Stored | None:
        """End the copy because of `error`; return the stored file where an unanswered commit had been carried out."""
        if isinstance(error, TransferError):
            with contextlib.suppress(Interrupted):
                self._wait_for_the_source()
        writer, self._writer = self._writer, None
        keep = keep and self._checkpoint is not None and not self.sealed
        if writer is None and self._checkpoint is not None and not keep:
            writer = self._left(error)
        return None if writer is None else abort_because(writer, error, self._options.interrupt, keep=keep)

    def _wait_for_the_source(self) -> None:
        """Wait for an unanswered read of an earlier try: one thread at a time uses an endpoint. Interrupted."""
        if self._hung is not None:
            self._hung.wait()
            self._hung = None

    def _left(self, error: BaseException) -> Writer | None:
        """Return a writer on the file that an earlier try left to be gone on with."""
        assert self._checkpoint is not None
        writer = self._new_writer(self._checkpoint.entry, self._checkpoint.written)
        self._writer = None
        try:
            writer.begin(self._options.begins)
        except TransferError:
            if isinstance(error, TransferError):
                error.leftover = True
        return writer

    def _new_writer(self, entry: Entry, resume: Checkpoint | None = None) -> Writer:
        options = self._options
        writer = self._destination.writer(
            self._path,
            token=options.token,
            size=entry.size if options.steps is None else None,
            resume=resume,
            modified_at=entry.modified_at if options.keep_time else None,
            if_exists=options.if_exists,
        )
        self._writer = writer
        return writer

    def _begin(self) -> tuple[Reader, Digests, int]:
        """Open the source at its beginning and make a new temporary file."""
        self._checkpoint, self._resumed = None, 0
        reader = self._source.open(self._entry)
        try:
            self._new_writer(reader.entry).begin(self._options.begins)
        except BaseException:
            reader.close()
            raise
        return reader, Digests(md5=self._options.md5), 0

    def _resume(self) -> tuple[Reader, Digests, int] | None:
        """Open both ends where the last checkpoint is; None where either cannot go on from there."""
        found = self._checkpoint
        if found is None or not self._can_resume:
            return None
        writer = self._new_writer(found.entry, found.written)
        position = writer.begin(self._options.begins)
        if position < found.digests.size or position == 0:
            self._discard(writer)
            return None
        try:
            reader = self._source.open(found.entry, found.digests.size)
        except Changed:
            self._discard(writer)
            return None
        if reader.entry.version != found.entry.version:
            reader.close()
            self._discard(writer)
            return None
        self._resumed = position
        return reader, found.digests.copy(), position

    def _discard(self, writer: Writer) -> None:
        self._writer = None
        writer.abort()

    def _safe(self, entry: Entry, written: Checkpoint, digests: Digests) -> None:
        """Take note of what is safe at the destination."""
        self._checkpoint = MoveCheckpoint(entry, written, digests)
        self._options.checkpointed(self._checkpoint.as_json())


class _Flow:
    """The bytes of one try, from the reader through the steps to the writer."""

    def __init__(
        self, options: CopyOptions, *, writer: Writer, reader: Reader, path: str, position: int,
        safe: Callable[[Entry, Checkpoint, Digests], None],
    ) -> None:  # fmt: skip
        self._options = options
        self._writer = writer
        self._reader = reader
        self._path = path
        self._position = position
        self._safe = safe
        self._ahead: ReadAhead | None = None
        # Digests at the ends of the blocks since the last checkpoint.
        self._points: deque[Digests] = deque()
        self._flushed = position
        self._flushed_at = self._reported_at = time.monotonic()
        size = reader.entry.size
        self._between = min(max((size or 0) // _PARTS, _LEAST_BETWEEN), _MOST_BETWEEN) if size else _MOST_BETWEEN

    def run(self, digests: Digests, *, resumable: bool) -> tuple[Digest, Digest]:
        """Move everything to the writer; return the digests of what was read and of what was written."""
        with contextlib.ExitStack() as closing:
            steps = new_steps(self._options.steps, closing)
            written = Digests(md5=self._options.md5) if steps else None
            try:
                last = self._run(digests, steps, written, resumable=resumable)
            except (TransferError, KeyboardInterrupt) as error:
                if resumable and not isinstance(error, Changed | Mismatch):
                    self._flush_at_the_end()
                raise
        source = last.result()
        return source, source if written is None else written.result()

    def _run(self, digests: Digests, steps: Sequence[Step], written: Digests | None, *, resumable: bool) -> Digests:
        last = digests
        for piece in self._pieces(digests):
            last = piece.digests
            self._options.bandwidth.take(len(piece.block), self._options.interrupt)
            if self._options.interrupt.is_set():
                raise Interrupted(f"{self._path}: stopped at byte {piece.end}")
            self._feed(piece, steps, written)
            self._report(piece.end)
            if resumable:
                self._checkpoint(piece)
        self._write(finished(steps), written)
        return last

    def close(self) -> ReadAhead | None:
        """End the reading; return what still reads because the source does not answer."""
        if self._ahead is None:
            self._reader.close()
            return None
        self._ahead.close()
        return self._ahead if self._ahead.hung else None

    def _pieces(self, digests: Digests) -> Iterator[Piece]:
        found = pieces(self._reader, digests, self._options.bandwidth.block, self._path)
        size = self._reader.entry.size
        if size is not None and size - digests.size <= _SMALL:
            yield from found
            return
        self._ahead = ReadAhead(found, self._reader, self._options.interrupt, self._path)
        yield from self._ahead

    def _feed(self, piece: Piece, steps: Sequence[Step], written: Digests | None) -> None:
        if steps:
            self._write(through(steps, piece.block), written)
            return
        start = piece.end - len(piece.block)
        if piece.end <= self._position:
            return
        # The first bytes after a resume may be at the destination already: they are digested and not written again.
        block = piece.block if start >= self._position else memoryview(piece.block)[self._position - start :]
        self._writer.feed(block)

    def _write(self, blocks: Iterable[bytes], written: Digests | None) -> None:
        for block in blocks:
            if block:
                assert written is not None
                written.update(block)
                self._writer.feed(block)

    def _report(self, done: int) -> None:
        now = time.monotonic()
        if now - self._reported_at >= self._options.progress_every and done != self._reader.entry.size:
            self._reported_at = now
            self._options.progress(done)

    def _checkpoint(self, piece: Piece) -> None:
        self._points.append(piece.digests)
        if piece.end - self._flushed < self._between:
            return
        if time.monotonic() - self._flushed_at >= self._options.checkpoint_every:
            self._flush()

    def _flush(self) -> None:
        written = self._writer.flush()
        self._flushed_at = time.monotonic()
        last: Digests | None = None
        while self._points and self._points[0].size <= written.position:
            last = self._points.popleft()
        if last is not None and written.position > 0:
            self._flushed = last.size
            self._safe(self._reader.entry, written, last)

    def _flush_at_the_end(self) -> None:
        """Save what can be saved after the source failed; a writer that has failed itself saves nothing."""
        try:
            if self._points:
                self._flush()
        except TransferError:
            return
