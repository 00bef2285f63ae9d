"""Run a worker: take jobs up to the limit, run each in a child, renew the lease, and end cleanly."""

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.states import ABORTING, CANCELLED, CANCELLING, FAILURE, INCOMPLETE, TERMINATED
from diplomat_svc.domain.transactions import AuditTrail, Options, Transaction
from diplomat_svc.operations.auditing import Auditor
from diplomat_svc.operations.job_process import JobProcess, Runner
from diplomat_svc.operations.job_writer import JobWriter, log_end
from diplomat_svc.operations.owned_job import OwnedJob
from diplomat_svc.operations.recovery import recover
from diplomat_svc.operations.sweeping import Sweeper
from diplomat_svc.store import files, jobs
from diplomat_svc.store.tables import WORKERS
from mft_common import logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.database.leases import Lease
from mft_common.endpoints.registry import Endpoints
from mft_common.errors import MftError, Unavailable
from mft_common.notify import Channels
from mft_common.process.worker_lock import WorkerLock
from mft_common.transfer.steps.openpgp import Key, remove_homes

_POLL_S: Final = 0.02
_RENEWALS_A_LEASE: Final = 3
_CANCEL_S: Final = 10.0
_REQUESTS_EVERY_S: Final = 0.2
# The stop of a worker: `stop_grace` (20 s at most), this long, then a kill; together less than its tasks are given.
_STOPPED_WITHIN_S: Final = 7.5
_KILLED_WITHIN_S: Final = 5.0
_SWEEPS_STOP_WITHIN_S: Final = 1.0
# How long a worker that starts may take to remove the temporary files of those before it.
_SWEEP_S: Final = 10.0

StartThread = Callable[[Callable[[], None], str], threading.Thread]


def in_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """Start `work` in a thread."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


@dataclass(frozen=True)
class WorkerConfiguration:
    """The part of the configuration that a worker uses; a job keeps the one that was in force when it began.

    `private` is a folder for files of jobs that nothing outside may see.
    """

    options: Options
    endpoints: Endpoints
    channels: Channels = field(default_factory=Channels)
    audit: AuditTrail | None = None
    keys: Mapping[str, Key] = field(default_factory=dict)
    private: Path = Path("private")

    def means(self, definition: Transaction) -> dict[str, Any]:
        """Return what the child of a job may use, as plain data: nothing that its transaction does not name."""
        names = () if definition.openpgp is None else definition.openpgp.keys
        return {
            "endpoints": self.endpoints.only(definition.source.url, *definition.written_urls).to_json(),
            "keys": [self.keys[name].to_json() for name in names if name in self.keys],
            "private": str(self.private),
        }


@dataclass
class _Running:
    """A job that runs: its child, the thread that waits for its end, and since when it is asked to cancel."""

    process: JobProcess
    thread: threading.Thread
    cancelled_at: float | None = None


class Dispatcher:
    """One worker; `lock` knows whether others may run beside it, `runner` runs the jobs.

    A child that was asked to cancel its job may go on for `cancel_within` seconds before it is killed (E7).
    """

    def __init__(
        self,
        writer: JobWriter,
        *,
        configuration: ConfigurationFollower[WorkerConfiguration],
        lock: WorkerLock,
        runner: Runner,
        start: StartThread = in_thread,
        cancel_within: float = _CANCEL_S,
    ) -> None:
        # Set once the jobs of the workers before are recovered: those that begin by themselves come later (E15).
        self.recovered = threading.Event()
        self._cancel_within = cancel_within
        self._writer = writer
        self._database = writer.database
        self._configuration = configuration
        self._lock = lock
        self._runner = runner
        self._start = start
        self._lease = Lease("", "", 0, 0.0)
        self._renewed = 0.0
        self._asked = 0.0
        self._running: dict[int, _Running] = {}
        self._auditor = Auditor(self._database, lambda: configuration.current.audit)
        self._sweeper = Sweeper(runner, writer, lambda: configuration.current.endpoints)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then let running jobs end and sign out (E11)."""
        owner = secrets.token_hex(16)
        self._lease = Lease("", owner, 0, 0.0)
        exclusive = self._lock.acquire(owner)
        ended = threading.Event()
        try:
            self._sign_in(owner, exclusive=exclusive)
            sweeping = self._start(lambda: self._sweeper.run(ended), "sweeps")
            try:
                self._until_stopped(stop)
            finally:
                ended.set()
                sweeping.join(_SWEEPS_STOP_WITHIN_S)
        finally:
            self._lock.release()

    def _until_stopped(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(0 if self._step() else _POLL_S):
                pass
        except BaseException:
            self._kill_all()
            raise
        self._sign_out()

    def _sign_in(self, owner: str, *, exclusive: bool) -> None:
        """Recover the jobs of dead workers first; readiness sees this worker only after that (E15)."""
        with self._database.read() as connection:
            self._configuration.refresh(connection)
        ended = recover(self._writer, exclusive=exclusive)
        remove_homes(self._configuration.current.private)
        self._sweeper.sweep(threading.Event(), _SWEEP_S)
        with self._database.write() as connection:
            self._lease = WORKERS.sign_in(connection, owner, self._options.lease)
        self._renewed = time.monotonic()
        self.recovered.set()
        logs.get("dispatch").info("worker.ready", recovered=ended)

    @property
    def _options(self) -> Options:
        return self._configuration.current.options

    def _step(self) -> bool:
        """Do one round; return True when it took a job, and then the next round follows at once.

        A database that is away for a moment ends nothing; one that is away for a lease ends every child (E13).
        """
        try:
            return self._work_once()
        except Unavailable as error:
            self._require_lease(error)
            return False

    def _require_lease(self, error: Unavailable) -> None:
        """Raise `error` where the lease has lapsed while the database was away."""
        if time.monotonic() - self._renewed > self._lease.ttl:
            raise error

    def _work_once(self) -> bool:
        self._look_after_running()
        if len(self._running) >= self._options.at_once:
            return False
        return self._database.query(lambda each: jobs.any_takeable(each, self._writer.clock())) and self._take()

    def _look_after_running(self) -> None:
        """Forget the jobs that have ended, renew the lease in time, and obey requests to stop the others."""
        self._running = {sequence: one for sequence, one in self._running.items() if one.thread.is_alive()}
        if time.monotonic() - self._renewed > self._lease.ttl / _RENEWALS_A_LEASE:
            self._renew()
        if self._running:
            self._obey_requests()

    def _renew(self) -> None:
        """Renew the lease and recover the jobs of dead workers; MftError when the lease was lost (E13)."""
        began = time.monotonic()
        with self._database.write() as connection:
            self._configuration.refresh(connection)
            lease = dataclasses.replace(self._lease, ttl=self._options.lease)
            known = WORKERS.renew(connection, lease)
        if not known:
            raise MftError("this worker's lease ran out, and its jobs were ended by another")
        self._lease, self._renewed = lease, began
        recover(self._writer, owner=lease.owner, running=self._running)

    def _obey_requests(self) -> None:
        """Stop and kill the children of jobs that are to be cancelled or terminated (E7, E8)."""
        now = time.monotonic()
        if now - self._asked < _REQUESTS_EVERY_S:
            return
        self._asked = now
        owner = self._lease.owner
        for sequence, status in self._database.query(lambda each: jobs.stop_requests(each, owner)).items():
            one = self._running.get(sequence)
            if one is None:
                continue
            if status == ABORTING:
                # Its process is dead in general, and its thread ends it soon (A35).
                one.process.kill(FAILURE)
            elif status != CANCELLING:
                one.process.kill(TERMINATED)
            elif one.cancelled_at is None:
                one.cancelled_at = now
                one.process.stop(CANCELLED)
            elif now - one.cancelled_at > self._cancel_within:
                one.process.kill(CANCELLED)

    def _take(self) -> bool:
        with self._database.write() as connection:
            configuration = self._configuration.refresh(connection)
            lapsed = configuration.options.license_lapsed(self._writer.clock())
            refused = self._writer.refuse_next(connection) if lapsed else None
            taken = None if lapsed else self._writer.take(connection, self._lease.owner)
            earlier = files.of_job(connection, taken[0].sequence) if taken and taken[0].attempt > 1 else ()
        if refused is not None:
            log_end(refused)
        if taken is None:
            return refused is not None
        job, request_id = taken
        process = self._process(job, configuration, earlier)
        thread = self._start(lambda: self._work(job, request_id, process), f"job-{job.sequence}")
        self._running[job.sequence] = _Running(process, thread)
        return True

    def _process(self, job: Job, configuration: WorkerConfiguration, earlier: Sequence[FileRecord]) -> JobProcess:
        owned = OwnedJob(self._writer, self._lease.owner, job, earlier)
        means = configuration.means(job.definition)
        return JobProcess(self._runner, owned, means, self._lease, self._writer.clock(), auditor=self._auditor)

    @staticmethod
    def _work(job: Job, request_id: str, process: JobProcess) -> None:
        with logs.request_scope(request_id):
            try:
                process.run()
            except Exception:  # noqa: BLE001 -- the thread ends here, and the log is all that can be told
                logs.get("dispatch").exception("job.failed", sequence=job.sequence)

    def _kill_all(self) -> None:
        for one in self._running.values():
            one.process.abandon(INCOMPLETE)

    def _join(self, seconds: float) -> bool:
        """Wait for the ends of all jobs, and do meanwhile what they need; return whether all have ended."""
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while True:
            try:
                self._look_after_running()
            except Unavailable as error:
                self._require_lease(error)
            if not any(one.thread.is_alive() for one in self._running.values()):
                return True
            if time.monotonic() >= deadline:
                return False
            pause.wait(_POLL_S)

    def _sign_out(self) -> None:
        """Wait for running jobs up to `stop_grace`, stop, then kill the rest, and sign out; queued jobs stay (E11).

        A job that is this worker's and that none of its threads runs is ended before.
        """
        try:
            ended = self._join(self._options.stop_grace)
            if not ended:
                for one in self._running.values():
                    one.process.stop(INCOMPLETE)
                ended = self._join(min(self._lease.ttl / 2, _STOPPED_WITHIN_S))
        finally:
            self._kill_all()
        if ended or self._join(_KILLED_WITHIN_S):
            recover(self._writer, owner=self._lease.owner)
            with self._database.write() as connection:
                WORKERS.sign_out(connection, self._lease)
