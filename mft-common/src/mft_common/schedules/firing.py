"""Fire the timers of a database, each in one transaction, in as many workers as there are."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.database import Database
from mft_common.process.background_tasks import BackgroundTask
from mft_common.schedules.timers import Callback, FiringFailed, Timers, Unreadable

_POLL_S: Final = 1.0
_SHORTEST_WAIT_S: Final = 0.01
_CORRECTION_S: Final = 60.0
_GRACE_MS: Final = 60_000


@dataclass
class TimerService:
    """Fires timers by `callback(connection, firing)`, whose writes commit together with the timer's next time.

    A time older than `grace` milliseconds counts as missed. `prepare` is called before a timer is locked: it takes the
    locks that others hold when they change timers, so that two transactions never wait for each other.
    `lock(connection, key)` takes those of one timer; with it only this timer is fired then.
    """

    database: Database
    timers: Timers
    callback: Callback
    grace: int = _GRACE_MS
    now: clock.Clock = clock.now_ms
    prepare: Callable[[sa.Connection], None] | None = None
    lock: Callable[[sa.Connection, str], None] | None = None

    def step(self) -> int:
        """Fire every timer that is due; return how many. Unavailable where the database does not answer."""
        fired = 0
        while self._is_due() and self._fire_one():
            fired += 1
        return fired

    def correct(self) -> None:
        """Count the times of timers anew where the clock has been set back since."""
        with self.database.write() as connection:
            corrected = self.timers.correct(connection, self.now())
        if corrected:
            logs.get("timers").warning("timers.clock_set_back", timers=corrected)

    def wait_s(self, most: float) -> float:
        """Return the seconds until the next timer is due, at most `most`."""
        with self.database.read() as connection:
            due = self.timers.next_due(connection)
        return most if due is None else min(most, max(_SHORTEST_WAIT_S, (due - self.now()) / 1000))

    def _is_due(self) -> bool:
        with self.database.read() as connection:
            due = self.timers.next_due(connection)
        return due is not None and due <= self.now()

    def _fire_one(self) -> bool:
        log = logs.get("timers")
        try:
            with self.database.write() as connection:
                if self.prepare is not None:
                    self.prepare(connection)
                only = None
                if self.lock is not None:
                    only = self.timers.first_due(connection, self.now())
                    if only is None:
                        return False
                    self.lock(connection, only)
                key = self.timers.fire_one(connection, self.callback, self.now(), self.grace, only)
        except Unreadable as error:
            with self.database.write() as connection:
                self.timers.put_aside(connection, error.key, error.schedule, repr(error.__cause__))
            log.exception("timer.unreadable", timer=error.key)
            return True
        except FiringFailed as error:
            with self.database.write() as connection:
                pause = self.timers.failed(connection, error.key, self.now())
            log.exception("timer.failed", timer=error.key, pause_ms=pause)
            return True
        if key is not None:
            log.debug("timer.fired", timer=key)
        return key is not None


def timers_task(name: str, service: TimerService, *, poll: float = _POLL_S) -> BackgroundTask:
    """Return the task of a worker that fires timers until it is stopped; it sees new ones within `poll` seconds."""

    def run(stop: threading.Event) -> None:
        corrected_at = -_CORRECTION_S
        while not stop.is_set():
            if time.monotonic() - corrected_at >= _CORRECTION_S:
                service.correct()
                corrected_at = time.monotonic()
            service.step()
            stop.wait(service.wait_s(poll))

    return BackgroundTask(name, run)
