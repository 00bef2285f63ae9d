"""Report one file of a job: its record is written once, before the first thing that it has to be there for."""

from collections.abc import Mapping
from typing import Any

from diplomat_svc.operations.job_reports import JobReports
from mft_common.endpoints.contract import Entry


class FileReport:
    """The reports of a file that is being moved to `destination`.

    The record and the name of the unfinished copy are written together, because each write is a commit. `temporaries`
    are the names so far.
    """

    def __init__(self, reports: JobReports, place: int, entry: Entry, destination: str) -> None:
        self.temporaries: list[str] = []
        self._reports = reports
        self._place = place
        self._entry = entry
        self._destination = destination
        self._begun = False

    def ensure(self, temporary: str = "") -> None:
        """Write the file's record unless that was done."""
        if not self._begun:
            self._reports.begin_file(self._place, self._entry.name, self._destination, self._entry.size or 0, temporary)
            self._begun = True

    def begins(self, temporary: str) -> None:
        """Write the name of an unfinished copy before it is made, or as soon as the far side has named it."""
        if temporary in self.temporaries:
            # Nothing new to write, but the worker has to be there still.
            self._reports.check()
            return
        written = self._begun
        self.ensure(temporary)
        if written and temporary:
            self._reports.temporary(self._place, temporary)
        if temporary:
            self.temporaries.append(temporary)

    def checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Write how far the file is, where another attempt may go on from there."""
        if not self._reports.job.last:
            self.ensure()
            self._reports.checkpoint(self._place, checkpoint)

    def check(self) -> None:
        """Raise CommitRefused where the file may not become visible; its record is written before."""
        self.ensure()
        self._reports.check()

    def progress(self, count: int) -> None:
        """Report how many bytes are moved, but for the last: the end of the file is written right after it."""
        if self._entry.size is None or count < self._entry.size:
            self.ensure()
            self._reports.progress(self._place, count)

    def retrying(self, number: int) -> None:
        """Report that the file is tried again."""
        self.ensure()
        self._reports.retrying(self._place, number)
