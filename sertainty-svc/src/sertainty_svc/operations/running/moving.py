"""Deliver one file of an execution, and do with its source what the task says (86 to 92)."""

import functools
from dataclasses import asdict
from typing import Any, Final

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Exists, Interrupted, NotFound, NotRegular, OutcomeUnknown, TransferError
from mft_common.transfer import Copied, Mover, commit_proof
from mft_common.transfer.commit_proof import CommitProof
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.operations.running.committed import Committed, find_committed, find_unproved
from sertainty_svc.operations.running.delivering import Delivering, Delivery
from sertainty_svc.operations.running.disposing import ASIDE, Disposal, Work
from sertainty_svc.operations.running.faults import FileFault, Later, TaskFault, is_of_task, reason_of_file, sentence_of
from sertainty_svc.operations.running.time_limit import TimeLimit
from sertainty_svc.operations.running.trying_again import FIRST_PAUSE_S, tried_again
from sertainty_svc.operations.running.unchanged import UnchangedSource

_PROGRESS_S: Final = 0.5


class FileMove:
    """One file on its way: `run` brings it to its end.

    TaskFault leaves it as if nothing had been done, Interrupted and CommitRefused as it is. `left` says whether an
    unfinished file, or a source that was moved aside, may be left.
    """

    def __init__(self, work: Work, action: Delivering, file: ExecutionFile) -> None:
        self.left = False
        self._work = work
        self._action = action
        self._file = file
        self._limit = TimeLimit(work.stop, work.definition.time_limit_s)
        # Names of unfinished files of earlier attempts and tries.
        self._former = [file.temporary] if file.temporary else []
        self._began = False
        # Tries of earlier attempts, also of those that were killed.
        self._tries = file.tries
        # The version of the source that was read.
        self._entry = commit_proof.entry_of(file.checkpoint)

    def run(self) -> None:
        """Deliver the file, and handle its source."""
        if ASIDE in (self._file.checkpoint or {}) and self._file.state != "delivered":
            # An earlier attempt had begun to move the source of a failed file aside.
            return self._fail(self._file.description)
        # Not under the limit of time: a file that is there has not failed.
        if self._file.state == "delivered" or self._was_committed():
            return self._finish()
        try:
            self._deliver()
        except Later as error:
            return self._end("later", sentence_of(error), "Info")
        except Interrupted:
            if not self._limit.is_over():
                raise
            return self._fail(f"It took longer than {self._work.definition.time_limit_s} seconds.")
        except TransferError as error:
            if not (isinstance(error, Exists) and self._was_delivered()):
                return self._fail(reason_of_file(error, self._file.path))
        return self._finish()

    def _was_committed(self) -> bool:
        """Return whether an earlier attempt was cut off between the commit of the file and its report (88)."""
        proof = CommitProof.of(self._file.checkpoint)
        if proof is None:
            return False
        found = find_committed(self._work, self._file.destination, proof)
        if found is None:
            self._file = self._file.changed(checkpoint=None)
            return False
        self._delivered(found)
        return True

    def _was_delivered(self) -> bool:
        """Return whether the target that exists is the output of an execution that was ended before its report (88)."""
        assert self._entry is not None
        try:
            found = find_unproved(self._work, self._file, self._entry)
        except TaskFault:
            self._withdraw()
            raise
        if found is not None:
            self._delivered(found)
        return found is not None

    def _deliver(self) -> None:
        entry, retries = self._find_entry(), self._work.definition.retries
        self._entry = entry
        self._file = self._file.changed(size=entry.size, modified_at=entry.modified_at)
        source = UnchangedSource(self._work.folders.source.endpoint, entry)
        try:
            delivery = tried_again(lambda: self._action.prepare(source, entry), retries, self._limit)
            self._file = self._file.changed(destination=delivery.path)
            self._work.folders.destination.make_folder_of(delivery.path)
            moved = self._mover(delivery).move(source, entry, self._work.folders.destination.endpoint, delivery.path)
        except TaskFault:
            self._withdraw()
            raise
        except TransferError as error:
            self._judge(error, at_source=error is source.failure)
            raise
        self._file = self._file.changed(tries=self._tries + moved.retries + 1)
        if moved.unremoved:
            self._former.append(self._file.temporary)
        values = _values(Copied(moved.entry, moved.source, moved.delivered, 0))
        self._delivered(Committed(values, moved.entry if moved.durable else None))

    def _find_entry(self) -> Entry:
        """Return the source as it is now; Later where it is not the file that was found, else as `_judge`."""
        source, retries = self._work.folders.source, self._work.definition.retries
        try:
            entry = tried_again(lambda: source.endpoint.stat(self._file.path), retries, self._limit)
        except (NotFound, NotRegular) as error:
            raise Later(f"{self._file.path}: has gone since it was found") from error
        except Interrupted:
            raise
        except TransferError as error:
            if (fault := self._fault_of(error, at_source=True)) is not None:
                self._withdraw()
                raise fault from error
            raise
        found = self._file.identity
        if entry.kind != "file" or (found and found != source.identity(entry)):
            raise Later(f"{self._file.path}: changed since it was found")
        return entry

    def _judge(self, error: TransferError, *, at_source: bool) -> None:
        """Note the tries of a delivery that failed; raise TaskFault where it was the task's fault."""
        if error.leftover and self._file.temporary:
            self._former.append(self._file.temporary)
        self._file = self._file.changed(tries=self._tries + error.tries, checkpoint=None)
        if isinstance(error, Interrupted | Later | FileFault):
            return
        if (fault := self._fault_of(error, at_source=at_source)) is not None:
            if not isinstance(error, OutcomeUnknown):
                self._withdraw()
            raise fault from error

    def _fault_of(self, error: TransferError, *, at_source: bool) -> TaskFault | None:
        """Return the task's fault that an error is, None where it is the file's."""
        if is_of_task(error, at_source=at_source):
            return TaskFault(sentence_of(error))
        try:
            if error.heals:
                # A folder that cannot be reached at all is no fault of a file.
                self._work.folders.source.check()
                self._work.folders.destination.check()
        except TaskFault as fault:
            return fault
        return None

    def _withdraw(self) -> None:
        """Report the file as if no delivery of it had begun."""
        if self._file.state != "waiting":
            self._report("waiting", "")

    def _mover(self, delivery: Delivery) -> Mover:
        definition, reports, position = self._work.definition, self._work.reports, self._file.position
        return Mover(
            token=self._work.token,
            if_exists="replace" if definition.replace else "fail",
            verify="sha256",
            steps=delivery.steps,
            keep_time=delivery.keep_time,
            modified_at=delivery.modified_at,
            interrupt=self._limit,
            begins=self._begins,
            progress=functools.partial(reports.progress, position),
            progress_every=_PROGRESS_S,
            sealed=self._sealed,
            guard=lambda: reports.check_commit(self._file),
            retries=definition.retries,
            delay=FIRST_PAUSE_S,
        )

    def _begins(self, temporary: str) -> None:
        if self._began and temporary == self._file.temporary:
            return
        if self._began and self._file.temporary:
            self._former.append(self._file.temporary)
        tries = self._file.tries if self._began else self._tries + 1
        self._began = True
        self._file = self._file.changed(state="moving", temporary=temporary, description="", tries=tries)
        self._work.reports.changed(self._file)

    def _sealed(self, copied: Copied) -> None:
        proof = CommitProof(copied.entry, copied.delivered.sha256, _values(copied))
        self._file = self._file.changed(state="moving", checkpoint=proof.as_json())

    def _delivered(self, found: Committed) -> None:
        """Report that the output is there, before anything happens to the source (87)."""
        self._entry = found.entry
        checkpoint = None if found.entry is None else {commit_proof.ENTRY: asdict(found.entry)}
        self._file = self._file.changed(
            **found.values, state="delivered", temporary="", description="", checkpoint=checkpoint
        )
        self._work.reports.changed(self._file)

    def _finish(self) -> None:
        """Handle the source of a delivered file, of the version that was read alone."""
        disposal = Disposal(self._work, self._file, self._entry)
        problem = disposal.after_success()
        self._take_over(disposal)
        if problem:
            self._work.reports.log(problem, self._file.path, "Warning")
        self._end("successful", problem, "Info", self._action.done)

    def _fail(self, reason: str) -> None:
        """End the file by its own fault, moved to the folder of failed ones where the task has one (86)."""
        disposal = Disposal(self._work, self._file.changed(description=reason), self._entry)
        problem = disposal.after_failure()
        self._take_over(disposal)
        self._end("failed", f"{reason} {problem}".strip(), "Error")

    def _take_over(self, disposal: Disposal) -> None:
        self._file = disposal.file
        if disposal.left and disposal.file.temporary:
            self._former.append(disposal.file.temporary)
        self.left = self.left or disposal.left

    def _end(self, state: Any, description: str, level: Any, text: str = "") -> None:
        self._report(state, description)
        self._work.reports.log(text or description, self._file.path, level)

    def _report(self, state: Any, description: str) -> None:
        """Remove unfinished files of former tries, then report how the file stands."""
        temporary = ""
        if self._former and not self._work.sweep(tuple(dict.fromkeys(self._former))):
            self.left, temporary = True, self._former[-1]
        self._file = self._file.changed(state=state, description=description, temporary=temporary, checkpoint=None)
        self._work.reports.changed(self._file)


def _values(copied: Copied) -> dict[str, Any]:
    """Return what the record has of the bytes on each side."""
    source, delivered = copied.source, copied.delivered
    return {
        "size": source.size,
        "bytes_done": source.size,
        "modified_at": copied.entry.modified_at,
        "source_sha256": source.sha256,
        commit_proof.SIZE: delivered.size,
        "delivered_sha256": delivered.sha256,
    }
