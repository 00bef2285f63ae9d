"""Move the bytes of one try from the reader through the steps to the writer."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mft_common.endpoints.contract import Checkpoint, Entry, IfExists, Reader, Verify, Writer
from mft_common.endpoints.errors import Changed, Interrupted, Mismatch, TransferError
from mft_common.transfer.bandwidth import Bandwidth
from mft_common.transfer.digests import Digest, Digests, DigestsBehind
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
    modified_at: int | None
    bandwidth: Bandwidth
    interrupt: Interrupt
    begins: Callable[[str], None]
    progress: Callable[[int], None]
    progress_every: float
    checkpointed: Callable[[Mapping[str, Any]], None]
    checkpoint_every: float

    def time_of(self, entry: Entry) -> int | None:
        """Return the modification time that the delivered file gets, None for that of its writing."""
        if self.modified_at is not None:
            return self.modified_at
        return entry.modified_at if self.keep_time else None


class Flow:
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
            written = DigestsBehind(md5=self._options.md5) if steps else None
            if written is not None:
                closing.callback(written.close)
            try:
                last = self._run(digests, steps, written, resumable=resumable)
            except (TransferError, KeyboardInterrupt) as error:
                if resumable and not isinstance(error, Changed | Mismatch):
                    self._flush_at_the_end()
                raise
            source = last.result()
            return source, source if written is None else written.result()

    def _run(
        self, digests: Digests, steps: Sequence[Step], written: DigestsBehind | None, *, resumable: bool
    ) -> Digests:
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

    def close(self) -> Callable[[], None] | None:
        """End the reading; return a call that waits for a read which the source does not answer, None without one."""
        if self._ahead is None:
            self._reader.close()
            return None
        self._ahead.close()
        return self._ahead.wait if self._ahead.hung else None

    def _pieces(self, digests: Digests) -> Iterator[Piece]:
        found = pieces(self._reader, digests, self._options.bandwidth.block, self._path)
        size = self._reader.entry.size
        if size is not None and size - digests.size <= _SMALL:
            yield from found
            return
        self._ahead = ReadAhead(found, self._reader, self._options.interrupt, self._path)
        yield from self._ahead

    def _feed(self, piece: Piece, steps: Sequence[Step], written: DigestsBehind | None) -> None:
        if steps:
            self._write(through(steps, piece.block), written)
            return
        start = piece.end - len(piece.block)
        if piece.end <= self._position:
            return
        # The first bytes after a resume may be at the destination already: they are digested and not written again.
        block = piece.block if start >= self._position else memoryview(piece.block)[self._position - start :]
        self._writer.feed(block)

    def _write(self, blocks: Iterable[bytes], written: DigestsBehind | None) -> None:
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
