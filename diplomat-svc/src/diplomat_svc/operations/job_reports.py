"""Report from a child how its job goes; the worker writes each report to the database before the child goes on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from diplomat_svc.domain.jobs import MemberRecord
from diplomat_svc.domain.states import DELIVERED, FAILURE, INCOMPLETE, SUCCESSFUL, WARNING, Severity
from diplomat_svc.operations.file_messages import ArchivedCopy, Earlier, FileEnd
from diplomat_svc.operations.job_order import JobOrder
from diplomat_svc.operations.name_pages import ask_all
from mft_common.process.runner import Channel

NOTE: Final = "note"
EARLIER: Final = "earlier"
FOUND: Final = "found"
BEGIN_FILE: Final = "begin_file"
CHECKPOINT: Final = "file_checkpoint"
TEMPORARY: Final = "temporary"
FILE_PROGRESS: Final = "file_progress"
RETRYING: Final = "retrying"
END_FILES: Final = "end_files"
WARN_FILE: Final = "warn_file"
ARCHIVED: Final = "archived"
COPIED: Final = "copied"
MEMBER: Final = "member"
TAKEN: Final = "taken"
DELIVERED_MEMBER: Final = "delivered_member"
AUDIT: Final = "audit"
# Ends or names in one message, which has a limit, and a name may be long: of 4 MiB, 30 KiB each.
_A_MESSAGE: Final = 100


class JobReports:
    """The reports of one job. Each is waited for: a child whose worker is frozen does not go on without it (E13)."""

    def __init__(self, channel: Channel, job: JobOrder) -> None:
        self.job = job
        self._channel = channel
        self._completions: dict[int, str] = {}
        self._failures: dict[int, str] = {}
        # The completions of files of earlier attempts that are gone.
        self._gone: tuple[str, ...] = ()

    @property
    def unknown(self) -> bool:
        """Whether it is not known of a file if it was delivered."""
        return INCOMPLETE in self.completions()

    @property
    def lost(self) -> int:
        """The number of files that an earlier attempt began and did not deliver, and that are gone."""
        return self._gone.count(FAILURE)

    def check(self) -> None:
        """Raise CommitRefused unless the job is still the worker's, and nobody asked to stop it (E13)."""
        self._channel.may_commit()

    def temporaries(self) -> tuple[str, ...]:
        """Return the names of unfinished copies that this attempt or an earlier one may have left."""
        return ask_all(self._channel)

    def note(self, text: str, severity: Severity = Severity.INFORMATIONAL) -> None:
        """Add a record to the job's log."""
        self._channel.ask(NOTE, {"text": text, "severity": severity})

    def earlier(self, source: str, version: str) -> Earlier | None:
        """Return what an earlier attempt of the job did with a file of this version; None where it had not begun it."""
        answer = self._channel.ask(EARLIER, {"source": source, "version": version})
        if answer is None:
            return None
        found = Earlier(**{**answer, "archived": tuple(answer["archived"])})
        if found.completion in (*DELIVERED, INCOMPLETE):
            self._completions[found.place] = str(found.completion)
        return found

    def found(self, count: int, size: int) -> None:
        """Report how many files were found, and how many bytes they have."""
        self._gone = tuple(self._channel.ask(FOUND, {"count": count, "size": size}))

    def begin_file(
        self, place: int, source: str, destination: str, size: int, temporary: str = "", *, modified_at: int | None
    ) -> None:
        """Report a file; the return means that its record, with its temporary name, is in the database (E20)."""
        data = {"place": place, "source": source, "destination": destination, "size": size, "modified_at": modified_at}
        self._channel.ask(BEGIN_FILE, {**data, "temporary": temporary})

    def temporary(self, place: int, name: str) -> None:
        """Report the name of another unfinished copy; the return means that it is in the database."""
        self._channel.ask(TEMPORARY, {"place": place, "name": name})

    def checkpoint(self, place: int, checkpoint: Mapping[str, Any]) -> None:
        """Report how far a file is; the return means that the next attempt can go on from there."""
        self._channel.ask(CHECKPOINT, {"place": place, "checkpoint": json.dumps(dict(checkpoint))})

    def progress(self, place: int, count: int) -> None:
        """Report how many bytes of a file are moved."""
        self._channel.ask(FILE_PROGRESS, {"place": place, "count": count})

    def retrying(self, place: int, retries: int) -> None:
        """Report that a file is tried again, for the `retries`th time."""
        self._channel.ask(RETRYING, {"place": place, "retries": retries})

    def end_files(self, *ends: FileEnd) -> None:
        """Report how files ended; all of them have their ends with the last message, or none has."""
        for end in ends:
            self._completions[end.place] = end.completion
            if end.completion == FAILURE:
                self._failures[end.place] = end.text
        for start in range(0, len(ends), _A_MESSAGE):
            part = [asdict(end) for end in ends[start : start + _A_MESSAGE]]
            self._channel.ask(END_FILES, {"ends": part, "last": start + _A_MESSAGE >= len(ends)})

    def warn_file(self, place: int, text: str) -> None:
        """Turn a file's success into a warning: it was delivered, and a later step failed."""
        self._completions[place] = WARNING
        self._channel.ask(WARN_FILE, {"place": place, "text": text})

    def archived(self, copy: ArchivedCopy) -> None:
        """Report a copy in an archive."""
        self._channel.ask(ARCHIVED, asdict(copy))

    def copied(self, place: int) -> None:
        """Report that all copies of a delivered file are in the archives; nothing is left but to delete its source."""
        self._completions[place] = self._channel.ask(COPIED, {"place": place})

    def member(self, place: int, number: int, archive_sha256: str) -> MemberRecord | None:
        """Return a member of an archive of this content that an earlier attempt has delivered; None where none has."""
        if self.job.attempt == 1:
            return None
        asked = {"place": place, "number": number, "archive_sha256": archive_sha256}
        answer = self._channel.ask(MEMBER, asked)
        if answer is None:
            return None
        return MemberRecord(**{**answer, **{name: tuple(answer[name]) for name in ("warnings", "archived")}})

    def taken(self, place: int, names: Sequence[str]) -> dict[str, str]:
        """Return the names that members of other archives have since earlier attempts, with these archives."""
        found = dict[str, str]()
        if self.job.attempt > 1:
            for start in range(0, len(names), _A_MESSAGE):
                part = list(names[start : start + _A_MESSAGE])
                found |= self._channel.ask(TAKEN, {"place": place, "names": part})
        return found

    def delivered_member(self, place: int, member: MemberRecord, text: str, finished: str) -> None:
        """Report that a member of an archive is at its destination; no later attempt delivers it again.

        `finished` is the name that its unfinished copy had.
        """
        data = {"place": place, "member": asdict(member), "text": text, "finished": finished}
        self._channel.ask(DELIVERED_MEMBER, data)

    def is_successful(self, place: int) -> bool:
        """Return whether a file is Successful: a warning keeps its source (E24); one of an earlier attempt is."""
        return self._completions.get(place, SUCCESSFUL) == SUCCESSFUL

    def audit(self, completion: str) -> str | None:
        """Have the worker write the audit records of a job that ends so; return "", or why they are not written.

        None where the job was asked to stop meanwhile.
        """
        problem: str | None = self._channel.ask(AUDIT, {"completion": completion})
        return problem

    def reason(self) -> str:
        """Return how many files failed and why the first did, or of how many that is not known; "" for none."""
        if self._failures:
            first = next(iter(self._failures.values())).removeprefix("Failed: ")
            return f"{len(self._failures)} file(s) failed; the first: {first}"
        if self.lost:
            return f"{self.lost} file(s) that an earlier attempt began are gone."
        unknown = self.completions().count(INCOMPLETE)
        return f"It is not known whether {unknown} file(s) were delivered." if unknown else ""

    def completions(self) -> tuple[str, ...]:
        """Return how the files ended so far, those of earlier attempts that were delivered or are gone among them."""
        return (*self._gone, *self._completions.values())
