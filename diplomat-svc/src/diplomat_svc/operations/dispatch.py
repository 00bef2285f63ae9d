"""Be a worker: take jobs while there is room, run them, renew the lease, and leave in good order."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from diplomat_svc.domain.jobs import FAILURE, INCOMPLETE, Job
from diplomat_svc.domain.transactions import Options
from diplomat_svc.errors import NotOwner
from diplomat_svc.operations import records, telling
from diplomat_svc.operations.alone import Company
from diplomat_svc.operations.ledger import Ledger
from diplomat_svc.operations.recovery import recover
from diplomat_svc.operations.running import Reach, Run, Stop
from diplomat_svc.store import jobs, workers
from mft_common import logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.errors import MftError, Unavailable

_LOOK_EVERY_S: Final = 0.05
_RENEWALS_A_LEASE: Final = 3

Runner = Callable[[Callable[[], None], str], threading.Thread]


def in_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """Start `work` in a thread of its own: the place where child processes will come in (E6)."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


@dataclass(frozen=True)
class WorkerConfiguration:
    """The part of the configuration that a worker uses; a job keeps the one that was in force when it began."""

    options: Options
    reach: Reach


class Dispatcher:
    """One worker; `company` knows whether there can be others beside it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        host: str,
        configuration: ConfigurationFollower[WorkerConfiguration],
        company: Company,
        start: Runner = in_thread,
    ) -> None:
        self._database = database
        self._clock = clock
        self._host = host
        self._configuration = configuration
        self._company = company
        self._start = start
        self._owner = ""
        self._renewed = 0.0
        self._running: dict[int, tuple[threading.Thread, Stop]] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then let running jobs end, and say goodbye (E11)."""
        self._owner = secrets.token_hex(16)
        alone = self._company.enter(self._owner)
        try:
            self._sign_in(alone=alone)
            self._until_stopped(stop)
        finally:
            self._company.leave()

    def _until_stopped(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(0 if self._step() else _LOOK_EVERY_S):
                pass
        finally:
            self._leave()

    def _sign_in(self, *, alone: bool) -> None:
        """Recover before anything else, and be known as a worker only after it (E15)."""
        with self._database.read() as connection:
            reach = self._configuration.refresh(connection).reach
        ended = recover(self._database, self._clock, self._host, reach, all_of_them=alone)
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
        """Do one round; True when it took a job, so that the next one is looked for at once."""
        self._running = {sequence: one for sequence, one in self._running.items() if one[0].is_alive()}
        if time.monotonic() - self._renewed > self._options.lease / _RENEWALS_A_LEASE:
            self._renew()
        if len(self._running) >= self._options.at_once:
            return False
        return self._database.query(jobs.any_queued) and self._take()

    def _renew(self) -> None:
        """Renew the lease and look for dead workers; a worker that was declared dead stops what it runs (E13)."""
        with self._database.write() as connection:
            self._configuration.refresh(connection)
            known = workers.renew(connection, self._owner, self._clock(), self._until())
        if not known:
            self._stop_all()
            raise MftError("this worker's lease ran out, and its jobs were ended by another")
        self._renewed = time.monotonic()
        recover(self._database, self._clock, self._host, self._configuration.current.reach, all_of_them=False)

    def _take(self) -> bool:
        with self._database.write() as connection:
            taken = jobs.take(connection, self._owner, self._clock())
            if taken is None:
                return False
            job, request_id = taken
            reach = self._configuration.refresh(connection).reach
            records.write(connection, job, self._clock(), "Begun by a worker.")
            telling.began(connection, job)
        halt = Stop()
        thread = self._start(lambda: self._work(job, request_id, reach, halt), f"job-{job.sequence}")
        self._running[job.sequence] = (thread, halt)
        return True

    def _work(self, job: Job, request_id: str, reach: Reach, halt: Stop) -> None:
        ledger = Ledger(self._database, self._clock, self._host, self._owner, job)
        with logs.request_scope(request_id):
            try:
                Run(ledger, reach, halt, self._clock).run()
            except Exception as error:  # noqa: BLE001 -- a fault of ours must not leave a job without an end (E10)
                logs.get("dispatch").exception("job.failed", sequence=job.sequence)
                self._end_somehow(ledger, f"An internal error ended the job ({type(error).__name__}).")

    def _end_somehow(self, ledger: Ledger, reason: str) -> None:
        """End a job as a failure, as soon as the database lets us: while this worker lives nobody else will."""
        while True:
            try:
                return ledger.end(FAILURE, reason)
            except NotOwner:
                return None
            except Unavailable:
                time.sleep(self._options.lease / _RENEWALS_A_LEASE)

    def _stop_all(self) -> None:
        for _, halt in self._running.values():
            halt.now(INCOMPLETE)

    def _leave(self) -> None:
        """Give running jobs their grace, stop what still runs, and take the row away so that the queue stays."""
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
