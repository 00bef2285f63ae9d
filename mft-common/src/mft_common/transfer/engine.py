"""Move one file from one endpoint to another: copy, verify, commit, and go on after errors that may heal."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mft_common.backoff import pause_after
from mft_common.endpoints.contract import Endpoint, Entry, IfExists, Stored, Verify
from mft_common.endpoints.errors import Interrupted, OutcomeUnknown, TransferError, Transient
from mft_common.transfer.bandwidth import Bandwidth
from mft_common.transfer.checkpoints import MoveCheckpoint
from mft_common.transfer.copying import Copied, Copy
from mft_common.transfer.digests import Digest
from mft_common.transfer.flow import CopyOptions
from mft_common.transfer.interrupt import Interrupt
from mft_common.transfer.steps import MakeSteps

_LONGEST_DELAY_S = 600.0
# What may end a move whose unfinished file is of use to a later one.
_MAY_GO_ON = (Transient, Interrupted, KeyboardInterrupt)


def _ignore(_value: Any) -> None:
    """Ignore a report (the default call-back)."""


def _allow() -> None:
    """Allow every commit (the default guard)."""


@dataclass(frozen=True)
class Moved:
    """A delivered file.

    `source` is what was read and `delivered` what was written; they differ where steps changed the bytes. `entry` is
    the source version that was read. `retries` counts the further tries, `resumed` the bytes of the delivered file that
    an earlier try had written. `replaced` is True where another file of that name was there, None where the destination
    cannot tell. `warning` names what went wrong after the file became visible, "" for nothing. `durable` is False where
    the delivered file may not survive a crash of the far side: then the source must be kept. `unremoved` says that an
    unfinished file of an earlier try could not be removed when that try failed; `Endpoint.sweep` may remove it.
    """

    source: Digest
    delivered: Digest
    entry: Entry
    retries: int
    resumed: int = 0
    replaced: bool | None = None
    version: str = ""
    warning: str = ""
    durable: bool = True
    unremoved: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warning about the integrity of the file, or of what lies beside it."""
        unremoved = "an unfinished upload of an earlier try could not be removed" if self.unremoved else ""
        return tuple(text for text in (self.warning, unremoved) if text)


@dataclass(frozen=True, kw_only=True)
class Mover:
    """Moves the files of one piece of work.

    `token` marks the unfinished files (16 to 64 upper-case hex digits). `steps` makes the steps of one try. `md5` asks
    for MD5 digests as well. `keep_time` gives the delivered file the source's time where both ends can, `modified_at` a
    time of its own, in milliseconds.

    `interrupt` is checked before each block, in each wait and before each commit. `begins(temporary)` is called with
    the name of the unfinished file before a byte of it is sent; `Endpoint.sweep` takes these names after a crash.
    `progress(bytes)` is called with the bytes read of the current file, at most every `progress_every` seconds and,
    before the commit, with all of them. `checkpointed(checkpoint)` is called when that much is safe, at most every
    `checkpoint_every` seconds; a move with steps has none. `guard()` is called immediately before each commit and
    raises when the caller has lost the right to it.

    `sealed(copied)` is called with the digests of a file that is whole and durable under its temporary name, before it
    becomes visible: of a file that has these at its destination after a crash, the commit was carried out.

    `retries` is the number of further tries after errors that may heal: the first after `delay` seconds, each later one
    after twice as long; `retrying(number)` is called before each. With `keep` an unfinished file that a later move can
    go on with is left where it is.
    """

    token: str
    if_exists: IfExists = "replace"
    verify: Verify = "sha256"
    steps: MakeSteps | None = None
    md5: bool = False
    keep_time: bool = False
    modified_at: int | None = None
    bandwidth: Bandwidth = field(default_factory=lambda: Bandwidth(None))
    interrupt: Interrupt = field(default_factory=threading.Event)
    begins: Callable[[str], None] = _ignore
    progress: Callable[[int], None] = _ignore
    progress_every: float = 0.5
    checkpointed: Callable[[Mapping[str, Any]], None] = _ignore
    checkpoint_every: float = 2.0
    sealed: Callable[[Copied], None] = _ignore
    retrying: Callable[[int], None] = _ignore
    guard: Callable[[], None] = _allow
    retries: int = 0
    delay: float = 5.0
    keep: bool = False

    def move(
        self, source: Endpoint, entry: Entry, destination: Endpoint, path: str,
        resume: Mapping[str, Any] | None = None,
    ) -> Moved:  # fmt: skip
        """Copy `entry` to `path`, whole and verified, or raise a TransferError with nothing visible changed.

        `resume` is what `checkpointed` was called with by an earlier move of the same token, entry and path; where the
        source has changed since, or either end cannot go on, the file begins anew. The error's `tries` says how often
        it was tried. A commit that got no answer is repeated, not begun anew: the file may be there already. Where it
        can neither be repeated nor looked for, the error is OutcomeUnknown and no other. A `guard` or another call-back
        that raises after such a commit changes neither: a file that is there is returned as delivered. Deleting the
        source is the caller's: it knows what else must be safe before.
        """
        copy = Copy(
            self._options(), source=source, entry=entry, destination=destination, path=path,
            checkpoint=self._checkpoint(resume, entry),
        )  # fmt: skip
        try:
            stored = self._try(copy, path)
        except BaseException as error:
            found = self._abort(copy, error)
            if found is None or not isinstance(error, Exception):
                raise
            stored = found
        result = copy.result()
        return Moved(
            result.source, result.delivered, result.entry, copy.tries - 1, result.resumed, stored.replaced,
            stored.version, stored.warning, stored.durable, copy.unremoved,
        )  # fmt: skip

    def _abort(self, copy: Copy, error: BaseException) -> Stored | None:
        """End the copy because of `error`; return the stored file where an unanswered commit had been carried out."""
        try:
            return copy.abort(error, keep=self.keep and isinstance(error, _MAY_GO_ON))
        except OutcomeUnknown as unknown:
            if not isinstance(error, Exception):
                return None
            unknown.tries = copy.tries
            raise unknown from error

    def _try(self, copy: Copy, path: str) -> Stored:
        """Return the stored file."""
        while True:
            try:
                if not copy.sealed:
                    self._check_stop(path, "before it began")
                    copy.seal()
                    # Before the commit: no call-back that raises can make a delivered file a failed one.
                    self.progress(copy.result().source.size)
                    self.sealed(copy.result())
                self._check_stop(path, "before it became visible")
                self.guard()
                return copy.commit()
            except TransferError as error:
                error.tries = copy.tries
                if not error.heals or copy.tries > self.retries:
                    raise
                copy.prepare_again(error)
            self._wait(pause_after(copy.tries, self.delay, _LONGEST_DELAY_S), path, copy.tries)
            self.retrying(copy.tries)
            copy.tries += 1

    def _wait(self, delay: float, path: str, tries: int) -> None:
        if self.interrupt.wait(delay):
            error = Interrupted(f"{path}: stopped while waiting for another try")
            error.tries = tries
            raise error

    def _check_stop(self, path: str, when: str) -> None:
        if self.interrupt.is_set():
            raise Interrupted(f"{path}: stopped {when}")

    def _options(self) -> CopyOptions:
        return CopyOptions(
            token=self.token, if_exists=self.if_exists, verify=self.verify, steps=self.steps, md5=self.md5,
            keep_time=self.keep_time, modified_at=self.modified_at, bandwidth=self.bandwidth, interrupt=self.interrupt,
            begins=self.begins, progress=self.progress, progress_every=self.progress_every,
            checkpointed=self.checkpointed, checkpoint_every=self.checkpoint_every,
        )  # fmt: skip

    def _checkpoint(self, resume: Mapping[str, Any] | None, entry: Entry) -> MoveCheckpoint | None:
        """Return the checkpoint of an earlier move; None where it is of another version of the source or of the hub."""
        if resume is None or self.steps is not None:
            return None
        try:
            found = MoveCheckpoint.of_json(dict(resume), md5=self.md5)
        except (KeyError, TypeError, ValueError):
            return None
        return found if (found.entry.path, found.entry.version) == (entry.path, entry.version) else None
