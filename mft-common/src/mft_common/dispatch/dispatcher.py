"""Run a worker: take pieces of work up to the limit, run each in a child, renew the lease, and end cleanly."""

import dataclasses
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic

from mft_common import logs
from mft_common.database import Database, locks_within
from mft_common.database.leases import Lease
from mft_common.database.workers import Workers
from mft_common.dispatch.contract import K, Process, Work
from mft_common.dispatch.piece_thread import PieceThread
from mft_common.errors import MftError, Unavailable
from mft_common.process.background_tasks import BackgroundTask, start_tasks
from mft_common.process.worker_lock import WorkerLock

_POLL_S: Final = 0.02
_RENEWALS_A_LEASE: Final = 3
# A transaction of another worker that is frozen may keep a lock for a minute: a wait for it must not cost this lease.
_LOCK_WAITS_A_LEASE: Final = 6
_OBEYS_WITHIN_S: Final = 10.0
_REQUESTS_EVERY_S: Final = 0.2
# The end of a worker: `stop_grace` (20 s at most), this long, then a kill; together less than its tasks are given. A
# program of a child may have 5 s to end: of a lease of 10 s as well there is more time than that.
_STOPPED_WITHIN_S: Final = 7.5
_STOPPED_WITHIN_LEASES: Final = 0.75
_KILLED_WITHIN_S: Final = 5.0
_TASKS_STOP_WITHIN_S: Final = 1.0


@dataclass
class _Running:
    """A piece that runs: its process, the thread that waits for its end, and since when it is asked to stop."""

    process: Process
    thread: threading.Thread
    asked_at: float | None = None


class Dispatcher(Generic[K]):
    """One worker; `lock` knows whether others may run beside it.

    `beside` are tasks that run from its sign-in to its end, and are restarted where they fail. A child that was asked
    to stop may go on for `obeys_within` seconds before it is killed.
    """

    def __init__(
        self,
        work: Work[K],
        database: Database,
        workers: Workers,
        *,
        lock: WorkerLock,
        beside: Sequence[BackgroundTask] = (),
        obeys_within: float = _OBEYS_WITHIN_S,
    ) -> None:
        # Set once the work of the workers before is recovered: what begins by itself comes later.
        self.recovered = threading.Event()
        self._work = work
        self._database = database
        self._workers = workers
        self._lock = lock
        self._beside = beside
        self._obeys_within = obeys_within
        self._lease = Lease("", "", 0, 0.0)
        self._renewed = 0.0
        self._asked = 0.0
        self._running: dict[K, _Running] = {}
        # The thread of the piece that is taken next.
        self._spare: PieceThread | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then let what runs end, and sign out."""
        owner = secrets.token_hex(16)
        self._lease = Lease("", owner, 0, 0.0)
        exclusive = self._lock.acquire(owner)
        ended = threading.Event()
        try:
            self._sign_in(owner, exclusive=exclusive)
            tasks = start_tasks(self._beside, ended)
            try:
                self._until_stopped(stop)
            finally:
                ended.set()
                for task in tasks:
                    task.join(_TASKS_STOP_WITHIN_S)
        finally:
            self._lock.release()
            self._drop_spare()

    def _until_stopped(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(0 if self._step() else _POLL_S):
                pass
        except BaseException:
            self._kill_all()
            raise
        self._sign_out()

    def _sign_in(self, owner: str, *, exclusive: bool) -> None:
        """Recover the work of dead workers first; readiness sees this worker only after that."""
        with self._database.read() as connection:
            limits = self._work.refresh(connection)
        ended = self._work.recover(exclusive=exclusive)
        self._work.prepare()
        with self._database.write() as connection:
            self._lease = self._workers.sign_in(connection, owner, limits.lease)
        self._renewed = time.monotonic()
        self.recovered.set()
        logs.get("dispatch").info("worker.ready", recovered=ended)

    def _step(self) -> bool:
        """Do one round; return True when it took a piece, and then the next round follows at once.

        A database that is away for a moment ends nothing; one that is away for a lease ends every child.
        """
        try:
            self._look_after_running()
            with locks_within(self._lease.ttl / _LOCK_WAITS_A_LEASE):
                return len(self._running) < self._work.limits.at_once and self._take()
        except Unavailable as error:
            self._require_lease(error)
            return False

    def _take(self) -> bool:
        """Take a piece; its thread is started before: a piece that is taken and cannot begin would be lost."""
        if not self._work.is_waiting():
            return False
        if self._spare is None:
            self._spare = PieceThread()
        return self._work.take(self._lease, self._begin)

    def _begin(self, key: K, request_id: str, process: Process) -> None:
        assert self._spare is not None
        spare, self._spare = self._spare, None
        self._running[key] = _Running(process, spare.thread)
        spare.begin(key, request_id, process)

    def _drop_spare(self) -> None:
        if self._spare is not None:
            self._spare.end()
            self._spare = None

    def _require_lease(self, error: Unavailable) -> None:
        """Raise `error` where the lease has lapsed while the database was away."""
        if time.monotonic() - self._renewed > self._lease.ttl:
            raise error

    def _look_after_running(self) -> None:
        """Forget the pieces that have ended, renew the lease in time, and obey requests to stop the others."""
        self._running = {key: one for key, one in self._running.items() if one.thread.is_alive()}
        if time.monotonic() - self._renewed > self._lease.ttl / _RENEWALS_A_LEASE:
            with locks_within(self._lease.ttl / _LOCK_WAITS_A_LEASE):
                self._renew()
        if self._running:
            self._obey_requests()

    def _renew(self) -> None:
        """Renew the lease and recover the work of dead workers; MftError when the lease was lost."""
        began = time.monotonic()
        # The pieces of this worker may wait for a lock with every connection that there is for them.
        with self._database.write_apart() as connection:
            lease = dataclasses.replace(self._lease, ttl=self._work.refresh(connection).lease)
            known = self._workers.renew(connection, lease)
        if not known:
            raise MftError("this worker's lease ran out, and its work was ended by another")
        self._lease, self._renewed = lease, began
        self._work.recover(owner=lease.owner, running=self._running)

    def _obey_requests(self) -> None:
        """Stop and kill the children of pieces that are to end; one that does not stop in time is killed."""
        now = time.monotonic()
        if now - self._asked < _REQUESTS_EVERY_S:
            return
        self._asked = now
        for key, request in self._work.stop_requests(self._lease.owner).items():
            one = self._running.get(key)
            if one is None:
                continue
            if request.now or (one.asked_at is not None and now - one.asked_at > self._obeys_within):
                one.process.kill(request.end)
            elif one.asked_at is None:
                one.asked_at = now
                one.process.stop(request.end)

    def _kill_all(self) -> None:
        for one in self._running.values():
            one.process.abandon(self._work.interrupted)

    def _join(self, seconds: float) -> bool:
        """Wait for the ends of all pieces, and do meanwhile what they need; return whether all have ended."""
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
        """Wait for what runs up to `stop_grace`, stop, then kill the rest, and sign out; queued pieces stay.

        A piece that is this worker's and that none of its threads runs is ended before.
        """
        try:
            ended = self._join(self._work.limits.stop_grace)
            if not ended:
                for one in self._running.values():
                    one.process.stop(self._work.interrupted)
                ended = self._join(min(self._lease.ttl * _STOPPED_WITHIN_LEASES, _STOPPED_WITHIN_S))
        finally:
            self._kill_all()
        if ended or self._join(_KILLED_WITHIN_S):
            self._work.recover(owner=self._lease.owner)
            with self._database.write() as connection:
                self._workers.sign_out(connection, self._lease)
