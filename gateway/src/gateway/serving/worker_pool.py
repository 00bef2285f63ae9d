"""Threads that wait for events and handle them: one while requests are short, more while they block."""

import threading
import time
from collections.abc import Callable
from typing import Final

from gateway.serving.poller import Poller
from mft_common import logs
from mft_common.process import blocking

# Threads that run Python compete for the interpreter, so short requests are left to this many.
_MINIMUM: Final = 1
_SHORT_S: Final = 0.001
_STALL_S: Final = 0.002
# A process that computed for this share of the time was not blocked: another thread would only compete for the
# interpreter. Work that releases it (a digest, a password's hash) is recognised by its length instead.
_BUSY: Final = 0.6
_LONG_S: Final = 0.010
_DELAYED: Final = 0.2
_IDLE_S: Final = 10.0
_MOST_AT_ONCE: Final = 16


class WorkerPool:
    """Runs `handle(fd)` for each event of `poller`, in at most `most` threads.

    The thread that gets an event handles it, so that no queue lies between them. A thread is active while it handles an
    event or waits for one. Another thread becomes active when a request blocked and no thread waits for events, or when
    no request completed for two milliseconds. A thread becomes inactive after a request that did not block, and ends
    after ten inactive seconds.

    Blocking on a disk is recorded where it happens (`mft_common.process.blocking`). Blocking on anything else (a
    database, a client) is inferred from a millisecond in which neither the process computed nor the thread was queued
    for a processor.
    """

    def __init__(self, poller: Poller, handle: Callable[[int], None], most: int) -> None:
        self._poller = poller
        self._handle = handle
        self._most = max(most, 1)
        self._lock = threading.Lock()
        self._wake = threading.Semaphore(0)
        self._busy = threading.Event()
        self._stopped = threading.Event()
        # Numbers of threads: all, the active ones, those of them that wait for events, the inactive ones. And the
        # number of completed events.
        self._threads = self._active = self._waiting = self._inactive = self._completed = 0

    @property
    def active(self) -> int:
        """How many threads handle an event or wait for one."""
        return self._active

    def start(self) -> None:
        """Start the first thread, and the one that detects stalls."""
        with self._lock:
            self._activate(1)
        threading.Thread(target=self._detect_stalls, name="serving-stalls", daemon=True).start()

    def stop(self) -> None:
        """Let each thread end once it is idle."""
        self._stopped.set()
        self._busy.set()

    def saturated(self) -> bool:
        """Return whether every thread is busy and no more may be started, so that events wait."""
        return not self._waiting and self._active >= self._most

    def _activate(self, count: int) -> None:
        """Make so many more threads active, starting them where none is inactive; the lock is held."""
        for _ in range(count):
            if self._inactive:
                self._inactive -= 1
                self._wake.release()
            elif self._threads < self._most:
                # A daemon: a request that outlasts the drain does not keep the process from ending.
                try:
                    threading.Thread(target=self._work, name="serving", daemon=True).start()
                except RuntimeError:
                    # The system has no more threads; the existing ones go on.
                    return
                self._threads += 1
            else:
                return
            self._active += 1
            self._waiting += 1

    def _work(self) -> None:
        run_queue = _RunQueue()
        while not self._stopped.is_set():
            try:
                fd = self._poller.wait(_IDLE_S)
            except (OSError, ValueError):
                return
            if fd is None:
                if self._end_idle():
                    return
                continue
            with self._lock:
                self._waiting -= 1
                last = not self._waiting
            if last and not self._busy.is_set():
                self._busy.set()
            stopwatch = _Stopwatch()
            try:
                self._handle(fd)
            except Exception:  # noqa: BLE001 -- an error of one client's event must not end the thread
                logs.get("serving").exception("event.failed")
            if not self._complete(blocked=blocking.taken() or (stopwatch.blocked() and not run_queue.delayed())):
                return

    def _complete(self, *, blocked: bool) -> bool:
        """Count a completed event, and stay active or become inactive; False where the thread is to end."""
        with self._lock:
            self._completed += 1
            if blocked or self._active <= _MINIMUM:
                if blocked and not self._waiting:
                    self._activate(1)
                self._waiting += 1
                return True
            self._active -= 1
            self._inactive += 1
        if self._wake.acquire(timeout=_IDLE_S):
            return True
        with self._lock:
            if self._wake.acquire(blocking=False):
                return True
            self._inactive -= 1
            self._threads -= 1
            return False

    def _end_idle(self) -> bool:
        """Return whether the calling thread, which waited in vain, is to end."""
        with self._lock:
            if self._active <= _MINIMUM:
                return False
            self._active -= 1
            self._waiting -= 1
            self._threads -= 1
            return True

    def _detect_stalls(self) -> None:
        """Grow the active threads exponentially while every one is busy and no request completes."""
        count, completed, stopwatch = 1, -1, _Stopwatch()
        while not self._stopped.is_set():
            self._busy.wait()
            self._busy.clear()
            if completed != self._completed:
                completed, stopwatch = self._completed, _Stopwatch()
            self._stopped.wait(_STALL_S)
            with self._lock:
                stalled = not self._waiting and completed == self._completed and stopwatch.stalled()
                if stalled:
                    self._activate(count)
                if not self._waiting:
                    self._busy.set()
            count = min(count * 2, _MOST_AT_ONCE) if stalled else 1


class _Stopwatch:
    """Measures a piece of work: its duration, and the processor time of the whole process meanwhile."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._computed = time.process_time()

    def blocked(self) -> bool:
        """True for work of a millisecond and more in which the process hardly computed."""
        took = time.monotonic() - self._began
        return took >= _SHORT_S and time.process_time() - self._computed < _BUSY * took

    def stalled(self) -> bool:
        """True for work that blocks, and for any that is long: it may release the interpreter."""
        return self.blocked() or time.monotonic() - self._began >= _LONG_S


class _RunQueue:
    """Measures how long its thread was queued for a processor: further threads would be queued as well."""

    def __init__(self) -> None:
        self._asked_at = time.monotonic()
        self._delay = _run_delay()

    def delayed(self) -> bool:
        """True where that was more than a fifth of the time since the last call."""
        before, self._asked_at = self._asked_at, time.monotonic()
        delay, self._delay = self._delay, _run_delay()
        return self._delay - delay > _DELAYED * (self._asked_at - before)


def _run_delay() -> float:
    """Return how many seconds this thread was runnable and did not run; 0 where the system does not say."""
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:  # noqa: PTH123 -- asked often
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
