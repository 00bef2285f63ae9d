"""Run one job from its listing to its end; the only place that decides what each end is called (E30)."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from diplomat_svc.domain import jobs as words
from diplomat_svc.domain.names import destination_name, expand_transaction
from diplomat_svc.domain.transactions import Transaction
from diplomat_svc.errors import NotOwner
from diplomat_svc.operations import records
from diplomat_svc.operations.ledger import Ledger
from mft_common.clock import Clock
from mft_common.transfer import (
    Bandwidth,
    Endpoint,
    Entry,
    FileEndpoint,
    FilestoreUpstream,
    Interrupted,
    Moved,
    Mover,
    Patterns,
    Places,
    TransferError,
    Transient,
)

_PROGRESS_S: Final = 1.0
R = TypeVar("R")


@dataclass(frozen=True)
class Reach:
    """What a job may reach: folders of this machine, and the hub's own store."""

    places: Places
    filestore: FilestoreUpstream | None

    def open(self, url: str, transfer_id: str, *, create: bool) -> Endpoint:
        """Open the folder that a definition's URL names; a destination's is made where it is missing."""
        if url.startswith("filestore:"):
            if self.filestore is None:
                raise Transient("filestore is not connected to this worker")
            return self.filestore.open(url.removeprefix("filestore:"), transfer_id)
        place = self.places.resolve(url)
        return FileEndpoint(place.open(create=create), shown=url)


@dataclass
class Stop:
    """Why a job is to stop, if it is: `completion` is what it ends as."""

    event: threading.Event = field(default_factory=threading.Event)
    completion: str = words.INCOMPLETE

    def now(self, completion: str) -> None:
        """Ask the job to stop between two blocks."""
        self.completion = completion
        self.event.set()


class _OverError(Exception):
    """The job is over before its files are all moved."""

    def __init__(self, completion: str, reason: str) -> None:
        super().__init__(reason)
        self.completion = completion
        self.reason = reason


class Run:
    """One attempt of one job."""

    def __init__(self, ledger: Ledger, reach: Reach, stop: Stop, clock: Clock) -> None:
        self._ledger = ledger
        self._reach = reach
        self._stop = stop
        self._clock = clock
        job = ledger.job
        expanded = expand_transaction(job.definition, job.variables)
        self._definition, self._missing = expanded.transaction, expanded.missing

    def run(self) -> None:
        """Move the job's files and end it; returns quietly when the job is no longer this worker's."""
        try:
            completion, reason = self._to_the_end()
            self._ledger.end(completion, reason)
        except NotOwner:
            return

    def _to_the_end(self) -> tuple[str, str]:
        for name in self._missing:
            self._ledger.note(f"The variable {name} has no value; its text stays as it is.", records.WARNING)
        source: Endpoint | None = None
        target: Endpoint | None = None
        try:
            source = self._open(self._definition.source.url, create=False)
            entries = self._find(source)
            target = self._open(self._definition.destination.url, create=True)
            return self._move_all(source, entries, target)
        except _OverError as over:
            return over.completion, over.reason
        except Interrupted:
            return self._stop.completion, "It was stopped."
        except TransferError as error:
            return words.FAILURE, str(error)
        finally:
            for opened in (source, target):
                if opened is not None:
                    opened.close()

    def _open(self, url: str, *, create: bool) -> Endpoint:
        transfer_id = self._ledger.job.transfer_id
        return self._patiently(lambda: self._reach.open(url, transfer_id, create=create))

    def _find(self, source: Endpoint) -> list[Entry]:
        """List, and end the job here when there is nothing to move, or not all that must be there (E26)."""
        spec, skipped = self._definition.source, list[tuple[str, str]]()

        def listed() -> list[Entry]:
            skipped.clear()
            return list(source.list(Patterns(spec.files), lambda name, why: skipped.append((name, why))))

        young = self._clock() - int(spec.min_age * 1000)
        entries = [entry for entry in self._patiently(listed) if not spec.min_age or entry.modified_at <= young]
        for _, why in skipped:
            self._ledger.note(f"Skipped: {why}.", records.WARNING)
        self._ledger.found(len(entries), sum(entry.size for entry in entries))
        strict = self._definition.fail_if_not_found
        if not entries:
            raise _OverError(words.FAILURE if strict else words.NOT_FOUND, "No file was found.")
        for text in spec.required:
            pattern = Patterns([text])
            if not any(pattern.match(entry.name) for entry in entries):
                completion = words.FAILURE if strict else words.REQUIRED_NOT_FOUND
                raise _OverError(completion, f"The required file {text} was not found; nothing was moved.")
        template = self._definition.destination.files
        if template is not None and "*" not in template and len(entries) > 1:
            raise _OverError(words.FAILURE, f"{len(entries)} files would have one name at the destination.")
        return entries

    def _move_all(self, source: Endpoint, entries: list[Entry], target: Endpoint) -> tuple[str, str]:
        bandwidth = Bandwidth(self._definition.bandwidth)
        arrived: list[tuple[int, Moved]] = []
        for place, entry in enumerate(entries):
            moved = self._move(place, entry, source, target, bandwidth)
            if moved is not None:
                arrived.append((place, moved))
        if self._definition.delete_source:
            self._delete(source, arrived)
        target.sweep(self._ledger.job.token)
        return words.sum_up(self._ledger.completions()), ""

    def _move(self, place: int, entry: Entry, source: Endpoint, target: Endpoint, bandwidth: Bandwidth) -> Moved | None:
        """Move one file; its failure does not stop the others (E25), a stop does."""
        ledger, definition = self._ledger, self._definition
        name = destination_name(definition.destination.files, entry.name)
        if self._stop.event.is_set():
            raise Interrupted(f"{name}: stopped before it began")
        ledger.begin_file(place, entry.name, name, entry.size)
        mover = Mover(
            token=ledger.job.token,
            if_exists=definition.destination.if_exists,
            verify=definition.verify,
            bandwidth=bandwidth,
            interrupt=self._stop.event,
            progress=_until_the_last(lambda count: ledger.progress(place, count), entry.size),
            progress_every=_PROGRESS_S,
            guard=ledger.check,
            retries=definition.retries.file,
            delay=definition.retries.file_delay,
        )
        try:
            moved = mover.move(source, entry, target, name)
        except Interrupted:
            raise
        except TransferError as error:
            left = " A partial upload could not be removed." if error.leftover else ""
            ledger.end_file(place, words.FAILURE, f"Failed: {error}.{left}", retries=error.tries - 1)
            return None
        text = f"Delivered {entry.name} as {name}: {moved.size} bytes, SHA-256 {moved.sha256}, retries {moved.retries}."
        ledger.end_file(place, words.SUCCESSFUL, text, retries=moved.retries, sha256=moved.sha256, size=moved.size)
        return moved

    def _delete(self, source: Endpoint, arrived: list[tuple[int, Moved]]) -> None:
        """Delete the sources of what is delivered and written down (E24)."""
        for place, moved in arrived:
            self._ledger.check()
            try:
                source.delete(moved.source)
            except TransferError as error:
                self._ledger.warn_file(place, f"The source was not deleted: {error}.")

    def _patiently(self, call: Callable[[], R]) -> R:
        """Call what may heal by waiting as often as a file is tried."""
        retries: int = self._definition.retries.file
        delay = self._definition.retries.file_delay
        while True:
            try:
                return call()
            except TransferError as error:
                if not error.heals or retries == 0:
                    raise
                self._ledger.note(f"Trying again after: {error}.", records.WARNING)
            if self._stop.event.wait(delay):
                raise Interrupted("stopped while waiting for another try")
            retries, delay = retries - 1, delay * 2


def _until_the_last(progress: Callable[[int], None], size: int) -> Callable[[int], None]:
    """Leave out the last word on a file: its end is written down next anyway."""

    def tell(count: int) -> None:
        if count < size:
            progress(count)

    return tell


def folders_of(definition: Transaction) -> tuple[str, ...]:
    """Return where a job of this definition may have left unfinished files."""
    return (definition.destination.url,)
