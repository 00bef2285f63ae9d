"""Copy one file under a temporary name, over as many tries as its caller makes."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mft_common.endpoints.contract import Checkpoint, Endpoint, Entry, Reader, Stored, Writer
from mft_common.endpoints.errors import (
    Changed,
    Exists,
    Interrupted,
    Mismatch,
    NotSent,
    OutcomeUnknown,
    TransferError,
    Transient,
)
from mft_common.endpoints.one_commit import taken
from mft_common.transfer.aborting import abort_because
from mft_common.transfer.checkpoints import MoveCheckpoint
from mft_common.transfer.digests import Digest, Digests
from mft_common.transfer.flow import CopyOptions, Flow


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
        # How often it was tried, the present try included.
        self.tries = 1
        self._options = options
        self._source = source
        self._entry = entry
        self._destination = destination
        self._path = path
        self._checkpoint = checkpoint
        self._writer: Writer | None = None
        self._result: Copied | None = None
        # Waits for the read of an earlier try that has got no answer yet.
        self._wait: Callable[[], None] | None = None
        able = source.features.resume_read and destination.features.resume_write
        self._can_resume = able and options.steps is None
        self._resumed = 0
        # The names of unfinished files that are left: an abort could not remove them, or no writer has begun with them
        # again since (the abort of a writer that has not begun removes nothing).
        self._unremoved: set[str] = set()
        self._committed = ""
        # Whether a commit of the present writer got no answer, and of a former one, whose file may be there.
        self._unanswered = False
        self._may_be_there = False

    def result(self) -> Copied:
        """Return what was read and written; after `seal`."""
        assert self._result is not None
        return self._result

    def seal(self) -> None:
        """Copy the bytes under a temporary name, durably, and compare size and checksum."""
        with self._told_from_ours():
            self._seal()

    @contextlib.contextmanager
    def _told_from_ours(self) -> Iterator[None]:
        """Raise OutcomeUnknown in place of Exists where the file may be that of an earlier try."""
        try:
            yield
        except Exists as error:
            if not self._may_be_there:
                raise
            raise taken(self._path) from error

    def _seal(self) -> None:
        self._wait_for_the_source()
        reader, digests, position = self._resume() or self._begin()
        assert self._writer is not None
        flow = Flow(
            self._options, writer=self._writer, reader=reader, path=self._path, position=position, safe=self._safe
        )
        try:
            source, delivered = flow.run(digests, resumable=self._can_resume and bool(reader.entry.version))
            while not self._writer.seal(delivered.size, delivered.sha256, self._options.verify):
                if self._options.interrupt.is_set():
                    raise Interrupted(f"{self._path}: stopped before it was complete")
        finally:
            self._wait = flow.close()
        self._result = Copied(reader.entry, source, delivered, self._resumed)
        self.sealed = True

    def commit(self) -> Stored:
        """Make the sealed file visible."""
        assert self._writer is not None
        self._committed = self._writer.temporary
        with self._told_from_ours():
            try:
                return self._writer.commit()
            except Transient as error:
                self._unanswered = self._unanswered or not isinstance(error, NotSent)
                raise

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
        self._may_be_there, self._unanswered = self._may_be_there or self._unanswered, False
        writer, self._writer = self._writer, None
        if writer is not None:
            keep = self._checkpoint is not None
            # A file that is not sealed was not committed; a commit that may be begun anew replaces what there is.
            with contextlib.suppress(OutcomeUnknown):
                abort_because(writer, error, self._options.interrupt, keep=keep)
            if keep or error.leftover:
                self._unremoved.add(writer.temporary)

    def abort(self, error: BaseException, *, keep: bool) -> Stored | None:
        """End the copy because of `error`; return the stored file where an unanswered commit had been carried out."""
        keep = keep and self._checkpoint is not None and not self.sealed
        try:
            return self._abort(error, keep=keep)
        finally:
            if isinstance(error, TransferError) and self._unremoved and not keep:
                error.leftover = True

    def _abort(self, error: BaseException, *, keep: bool) -> Stored | None:
        if isinstance(error, TransferError):
            with contextlib.suppress(Interrupted):
                self._wait_for_the_source()
        writer, self._writer = self._writer, None
        if writer is None and self._checkpoint is not None and not keep:
            writer = self._left(error)
        if writer is None:
            return None
        once = self._path if self._unanswered and self._options.if_exists == "fail" else ""
        return abort_because(writer, error, self._options.interrupt, keep=keep, once=once)

    def _wait_for_the_source(self) -> None:
        """Wait for an unanswered read of an earlier try: one thread at a time uses an endpoint. Interrupted."""
        if self._wait is not None:
            self._wait()
            self._wait = None

    def _left(self, error: BaseException) -> Writer | None:
        """Return a writer on the file that an earlier try left to be gone on with."""
        assert self._checkpoint is not None
        writer = self._new_writer(self._checkpoint.entry, self._checkpoint.written)
        self._writer = None
        try:
            self._begin_writer(writer)
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
            modified_at=options.time_of(entry),
            if_exists=options.if_exists,
        )
        self._writer = writer
        return writer

    def _begin_writer(self, writer: Writer) -> int:
        """Begin a file, or go on with one; return the byte from which it is written."""
        name = writer.temporary
        if self._checkpoint is not None:
            # That of an earlier move perhaps, which has left it.
            self._unremoved.add(name)
        position = writer.begin(self._options.begins)
        # From here on its abort removes it.
        self._unremoved.discard(name)
        return position

    def _begin(self) -> tuple[Reader, Digests, int]:
        """Open the source at its beginning and make a new temporary file."""
        self._checkpoint, self._resumed = None, 0
        reader = self._source.open(self._entry)
        # Of no byte: what an earlier try has left is replaced at once, or is known to be there still.
        resume = Checkpoint(0) if self._unremoved else None
        try:
            self._begin_writer(self._new_writer(reader.entry, resume))
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
        position = self._begin_writer(writer)
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
        self._writer, name = None, writer.temporary
        self._unremoved.add(name)
        writer.abort()
        self._unremoved.discard(name)

    def _safe(self, entry: Entry, written: Checkpoint, digests: Digests) -> None:
        """Take note of what is safe at the destination."""
        self._checkpoint = MoveCheckpoint(entry, written, digests)
        self._options.checkpointed(self._checkpoint.as_json())
