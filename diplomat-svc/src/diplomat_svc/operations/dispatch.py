"""Run a worker: take jobs up to the limit, run them, renew the lease, and end cleanly."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.states import FAILURE, INCOMPLETE
from diplomat_svc.domain.transactions import Options
from diplomat_svc.errors import NotOwner
from diplomat_svc.operations.endpoints import Endpoints
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.operations.owned_job import OwnedJob
from diplomat_svc.operations.recovery import recover
from diplomat_svc.operations.running import Run, StopRequest
from diplomat_svc.operations.worker_lock import WorkerLock
from diplomat_svc.store import jobs, workers
from mft_common import logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.errors import MftError, Unavailable

_POLL_S: Final = 0.05
_RENEWALS_A_LEASE: Final = 3

StartThread = Callable[[Callable[[], None], str], threading.Thread]


def in_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """Start `work` in a thread (E6)."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


@dataclass(frozen=True)
class WorkerConfiguration:
    """The part of the configuration that a worker uses; a job keeps the one that was in force when it began."""

    options: Options
    endpoints: Endpoints


class Dispatcher:
    """One worker; `lock` knows whether others may run beside it."""

    def __init__(
        self,
        writer: JobWriter,
        *,
        configuration: ConfigurationFollower[WorkerConfiguration],
        lock: WorkerLock,
        start: StartThread = in_thread,
    ) -> None:
        self._writer = writer
        self._database = writer.database
        self._clock = writer.clock
        self._configuration = configuration
        self._lock = lock
        self._start = start
        self._owner = ""
        self._renewed = 0.0
        self._running: dict[int, tuple[threading.Thread, StopRequest]] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then let running jobs end and sign out (E11)."""
        self._owner = secrets.token_hex(16)
        exclusive = self._lock.acquire(self._owner)
        try:
            self._sign_in(exclusive=exclusive)
            self._until_stopped(stop)
        finally:
            self._lock.release()

    def _until_stopped(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(0 if self._step() else _POLL_S):
                pass
        finally:
            self._sign_out()

    def _sign_in(self, *, exclusive: bool) -> None:
        """Recover the jobs of dead workers first; readiness sees this worker only after that (E15)."""
        with self._database.read() as connection:
            endpoints = self._configuration.refresh(connection).endpoints
        ended = recover(self._writer, endpoints, exclusive=exclusive)
        with self._database.write() as connection:
            workers.sign_in(connection, self._owner, self._until())
        self._renewed = time.monotonic()
        logs.get("dispatch").info("worker.ready", recovered=ended)

    @property
    def _options(self) -> Options:
        return self._configuration.current.options

    def _until(self) -> int:
        return self._clock() + int(self._options.lease * 1000)

    def _step(self) -> bool:
        """Do one round; return True when it took a job, and then the next round follows at once."""
        self._running = {sequence: one for sequence, one in self._running.items() if one[0].is_alive()}
        if time.monotonic() - self._renewed > self._options.lease / _RENEWALS_A_LEASE:
            self._renew()
        if len(self._running) >= self._options.at_once:
            return False
        return self._database.query(jobs.any_queued) and self._take()

    def _renew(self) -> None:
        """Renew the lease and recover the jobs of dead workers; stop every job when the lease was lost (E13)."""
        with self._database.write() as connection:
            self._configuration.refresh(connection)
            known = workers.renew(connection, self._owner, self._clock(), self._until())
        if not known:
            self._stop_all()
            raise MftError("this worker's lease ran out, and its jobs were ended by another")
        self._renewed = time.monotonic()
        recover(self._writer, self._configuration.current.endpoints, exclusive=False)

    def _take(self) -> bool:
        with self._database.write() as connection:
            taken = self._writer.take(connection, self._owner)
            if taken is None:
                return False
            job, request_id = taken
            endpoints = self._configuration.refresh(connection).endpoints
        stop = StopRequest()
        thread = self._start(lambda: self._work(job, request_id, endpoints, stop), f"job-{job.sequence}")
        self._running[job.sequence] = (thread, stop)
        return True

    def _work(self, job: Job, request_id: str, endpoints: Endpoints, stop: StopRequest) -> None:
        owned = OwnedJob(self._writer, self._owner, job)
        with logs.request_scope(request_id):
            try:
                Run(owned, endpoints, stop, self._clock).run()
            except Exception as error:  # noqa: BLE001 -- a fault of ours must not leave a job without an end (E10)
                logs.get("dispatch").exception("job.failed", sequence=job.sequence)
                self._end_with_failure(owned, f"An internal error ended the job ({type(error).__name__}).")

    def _end_with_failure(self, owned: OwnedJob, reason: str) -> None:
        """End a job as a failure, again and again while the database is away: no other worker may do it."""
        while True:
            try:
                return owned.end(FAILURE, reason)
            except NotOwner:
                return None
            except Unavailable:
                time.sleep(self._options.lease / _RENEWALS_A_LEASE)

    def _stop_all(self) -> None:
        for _, stop in self._running.values():
            stop.set(INCOMPLETE)

    def _sign_out(self) -> None:
        """Wait for running jobs up to `stop_grace`, stop the rest, and delete this worker's row; queued jobs stay."""
        deadline = time.monotonic() + self._options.stop_grace
        for thread, _ in self._running.values():
            while thread.is_alive() and time.monotonic() < deadline:
                thread.join(min(1.0, self._options.lease / _RENEWALS_A_LEASE))
                with self._database.write() as connection:
                    workers.renew(connection, self._owner, self._clock(), self._until())
        self._stop_all()
        for thread, _ in self._running.values():
            thread.join(self._options.lease / 2)
        if not any(thread.is_alive() for thread, _ in self._running.values()):
            with self._database.write() as connection:
                workers.sign_out(connection, self._owner)
