"""Move single files of a job, with its retries, its limit of bandwidth, its guard and its reports."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from diplomat_svc.domain.transactions import IfExists, Transaction
from diplomat_svc.operations.job_reports import JobReports
from diplomat_svc.operations.running.earlier_files import read_through
from mft_common.endpoints import contract as endpoint_contract
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Exists, Interrupted, NotFound, TransferError
from mft_common.transfer import Bandwidth, Digest, Interrupt, Moved, Mover
from mft_common.transfer.steps import MakeSteps

_PROGRESS_S: Final = 1.0
_CHECKPOINT_S: Final = 0.5
_MOST_NUMBERS: Final = 9_999


class MoveReport(Protocol):
    """The reports of one move: `destination` is the name that the file gets."""

    @property
    def destination(self) -> str:
        """The name at the destination."""
        ...

    def rename(self, destination: str) -> None:
        """Give the file another name at its destination."""
        ...

    def begins(self, temporary: str) -> None:
        """Write the name of an unfinished copy before it is made."""
        ...

    def checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Write how far the file is."""
        ...

    def check(self) -> None:
        """Raise CommitRefused where the file may not become visible."""
        ...

    def progress(self, count: int) -> None:
        """Report how many bytes were read."""
        ...

    def retrying(self, number: int) -> None:
        """Report that the file is tried again."""
        ...


class Moves:
    """The moves of one job."""

    def __init__(self, reports: JobReports, definition: Transaction, stop: Interrupt) -> None:
        self._reports = reports
        self._definition = definition
        self._stop = stop
        self._bandwidth = Bandwidth(definition.bandwidth)

    def deliver(
        self, report: MoveReport, source: Endpoint, entry: Entry, target: Endpoint, *,
        steps: MakeSteps | None = None, resume: Mapping[str, Any] | None = None,
        if_exists: IfExists | None = None,
    ) -> Moved:  # fmt: skip
        """Move a file to the name that `report` has, or as `if_exists: number` says to the first free one after it.

        `if_exists` None is that of the destination.
        """
        if_exists = if_exists or self._definition.destination.if_exists
        if if_exists != "number":
            return self.move(report, source, entry, target, if_exists=if_exists, steps=steps, resume=resume)
        name = report.destination
        for numbered in itertools.islice(_numbered(name), _MOST_NUMBERS):
            if _is_taken(target, numbered):
                continue
            report.rename(numbered)
            try:
                return self.move(report, source, entry, target, if_exists="fail", steps=steps)
            except Exists:
                # Another writer was faster.
                continue
        raise Exists(f"{name}: exists already, with every number up to {_MOST_NUMBERS - 1} too")

    def holds(self, target: Endpoint, name: str, digest: Digest) -> bool:
        """Return whether a file of this name and content is at an endpoint, durably; False where that is not known."""
        try:
            there = target.stat(name)
            if there.size not in (None, digest.size):
                return False
            found = read_through(target, there, self._stop)[1]
            if (found.size, found.sha256) != (digest.size, digest.sha256):
                return False
            target.make_durable(name)
        except Interrupted:
            raise
        except TransferError:
            return False
        return True

    def move(
        self, report: MoveReport, source: Endpoint, entry: Entry, target: Endpoint, *,
        if_exists: endpoint_contract.IfExists, steps: MakeSteps | None = None, resume: Mapping[str, Any] | None = None,
    ) -> Moved:  # fmt: skip
        """Move a file to the name that `report` has; TransferError, Interrupted or CommitRefused."""
        name, definition = report.destination, self._definition
        if self._stop.is_set():
            raise Interrupted(f"{name}: stopped before it began")
        mover = Mover(
            token=self._reports.job.token,
            if_exists=if_exists,
            verify=definition.verify,
            steps=steps,
            bandwidth=self._bandwidth,
            interrupt=self._stop,
            begins=report.begins,
            progress=report.progress,
            progress_every=_PROGRESS_S,
            retrying=report.retrying,
            guard=report.check,
            checkpointed=report.checkpoint,
            checkpoint_every=_CHECKPOINT_S,
            keep=not self._reports.job.last,
            retries=definition.retries.file,
            delay=definition.retries.file_delay,
        )
        return mover.move(source, entry, target, name, resume)


def _numbered(name: str) -> Iterator[str]:
    """Yield the name, then `stem-1.extension`, `stem-2.extension` and so on."""
    yield name
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    for number in itertools.count(1):
        yield f"{stem}-{number}{dot}{extension}"


def _is_taken(target: Endpoint, name: str) -> bool:
    """Return whether a name is taken; False where the far side does not say: the writer meets it then."""
    try:
        target.stat(name)
    except NotFound:
        return False
    except Interrupted:
        raise
    except TransferError:
        return False
    return True
