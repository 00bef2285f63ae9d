"""Run one job in a child process, and end it by how the child ended (E6 to E10, E13)."""

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from diplomat_svc.domain.states import FAILURE, INCOMPLETE
from diplomat_svc.operations.auditing import Auditor
from diplomat_svc.operations.job_child import RUN, SWEEP
from diplomat_svc.operations.job_order import JobOrder
from diplomat_svc.operations.job_reports import AUDIT
from diplomat_svc.operations.name_pages import page_of
from diplomat_svc.operations.owned_job import OwnedJob
from mft_common import logs
from mft_common.database.leases import Lease
from mft_common.dispatch import ChildProcess, Runner, until_written
from mft_common.errors import Unavailable
from mft_common.process.runner import MAY_COMMIT, End, Handle, Json, PoolFull

# How long the end of a job waits for the removal of its temporary files; what takes longer is done afterwards.
_SWEEP_BEFORE_END_S: Final = 1.0
_STOPPED: Final = {INCOMPLETE: "The worker was stopped.", FAILURE: "It was aborted."}


class JobProcess(ChildProcess):
    """One attempt of a job in a child; `run` blocks until the job has its end in the database.

    `means` is what the child may use, as plain data with the secrets in it, which goes through the child's socket: the
    `endpoints`, the `keys`, and the `private` folder.
    """

    def __init__(
        self, runner: Runner, owned: OwnedJob, means: Mapping[str, Any], lease: Lease, now: int, *, auditor: Auditor
    ) -> None:
        super().__init__(runner, RUN, {"job": JobOrder.of(owned.job, now, owned.files.begun).to_json(), **means})
        self._auditor = auditor
        self._owned = owned
        self._lease = lease
        self._abandoned = threading.Event()

    def abandon(self, end: str) -> None:
        """Kill the child, and leave the removal of its temporary files for later: the worker itself ends."""
        self._abandoned.set()
        super().abandon(end)

    def _no_process(self, error: Exception) -> None:
        reason = f"No process could be started for it ({type(error).__name__})."
        if not self._queue_again(reason):
            # An earlier attempt may have left something.
            self._end(*self._as_asked(FAILURE, reason), left=self._owned.job.attempt > 1)

    def _failed(self, error: Exception) -> None:
        """End the job: a fault of ours must not leave it without an end."""
        logs.get("jobs").exception("job.failed", sequence=self._owned.job.sequence)
        reason = f"An internal error ended the job ({type(error).__name__})."
        self._end(*self._as_asked(FAILURE, reason), left=True)

    def _log_lost(self) -> None:
        """Log nothing: an abort or another worker has ended the job, and has logged that."""

    def _ended(self, end: End) -> None:
        """End the job, or let it wait for its next attempt."""
        completion, why = self._outcome(end)
        if completion == FAILURE and self._queue_again(why or ""):
            return
        if completion == FAILURE and not end.completed:
            # What the process left is removed before the end; a database that is away for a moment is asked then.
            with contextlib.suppress(Unavailable):
                self._owned.abort()
        left = end.result["left"] if end.completed else not self._sweep()
        self._end(completion, why, left=left)

    def _queue_again(self, reason: str) -> bool:
        """Let the job wait for its next attempt, for which its temporary files stay."""
        if not self._owned.job.may_be_tried_again or self._asked:
            return False
        return until_written(lambda: self._owned.queue_again(reason))

    def _sweep(self) -> bool:
        """Remove the temporary files of a child that died; return whether that was done in time."""
        if self._abandoned.is_set() or not self._is_mine():
            return False
        order = {name: self._payload[name] for name in ("job", "endpoints")}
        handle = _begin_sweep(self._runner, order, self._owned.files.temporaries)
        end = None if handle is None else handle.wait(_SWEEP_BEFORE_END_S)
        if handle is not None and end is None:
            handle.kill()
        return end is not None and end.completed and not end.result["problem"]

    def _is_mine(self) -> bool:
        try:
            return self._owned.is_mine(self._lease)
        except Unavailable:
            return False

    def _on_message(self, kind: str, data: Json) -> Json:
        """Write a report or answer the question."""
        if kind == MAY_COMMIT:
            # Without its job the child must not even clean up: the temporary files are another's by now.
            self._owned.require_mine(self._lease)
            return self._may_commit()
        if kind == AUDIT:
            return self._audit(data["completion"])
        return self._owned.handle(kind, data)

    def _may_commit(self) -> bool:
        """Return whether the child may make a file visible; a request to stop that refuses it says how the job ends."""
        if not self._asked and self._owned.owns(self._lease):
            return True
        self._note(self._owned.stop_request())
        return False

    def _audit(self, completion: str) -> str | None:
        """Write the audit records of a job that ends so; return "" or the problem, None where it is to stop.

        A request to stop ends the wait for an audit database that does not answer (E8).
        """
        self._owned.require_mine(self._lease)
        ended_at = self._owned.stamp()
        problem = self._auditor.write(self._owned.job, completion, ended_at, lambda: bool(self._asked))
        if problem and self._asked:
            return None
        self._owned.audited(completion, problem)
        return problem

    def _outcome(self, end: End) -> tuple[str, str | None]:
        """Return completion status and reason (E10, E11); None for the reason that a request to stop has stored."""
        if end.completed and end.result["completion"] is not None:
            return self._as_asked(end.result["completion"], end.result["reason"])
        if end.refusal is not None:
            return self._as_asked(FAILURE, f"An internal error ended the job ({type(end.refusal).__name__}).")
        if end.error:
            return self._as_asked(FAILURE, f"An internal error ended the job ({end.error}).")
        if not end.completed:
            return self._as_asked(FAILURE, f"The process of the job {end.reason}.")
        asked = self._asked or INCOMPLETE
        return asked, _STOPPED.get(asked)

    def _as_asked(self, completion: str, reason: str | None) -> tuple[str, str | None]:
        """Return how a job ends: a failure as a request to stop says that was accepted before, if there is one.

        What the stop cut off, or a far side that answers at last, may fail before the child hears of the stop.
        """
        if completion != FAILURE:
            return completion, reason
        with contextlib.suppress(Unavailable):
            self._note(self._owned.stop_request())
        asked = self._asked
        return (asked, _STOPPED.get(asked)) if asked else (completion, reason)

    def _end(self, completion: str, reason: str | None, *, left: bool) -> None:
        """End the job; this write alone is repeated while the database is away, and no removal before it."""
        until_written(lambda: self._owned.end(completion, reason, left=left))


def _begin_sweep(runner: Runner, payload: Json, temporaries: Sequence[str]) -> Handle | None:
    """Remove a job's temporary files in a child, `temporaries` among them: a far side may hang, the worker may not.

    None where no child can be started, whatever the reason: the removal is tried again later.
    """
    try:
        return runner.run(SWEEP, payload, lambda _kind, data: page_of(temporaries, data["start"]))
    except (Unavailable, PoolFull):
        return None
    except Exception:  # noqa: BLE001 -- a removal that fails must not keep the job from its end
        logs.get("jobs").exception("sweep.not_begun")
        return None
