"""Threads that take turns: few while requests are short, as many as it needs once they block."""

import threading
import time
from collections.abc import Callable
from typing import Final

from gateway.serving.poller import Poller
from mft_common import logs
from mft_common.process import blocking

# Threads that run Python get in each other's way, so short work is left to this many.
_SHORT_HANDED: Final = 1
_SHORT_S: Final = 0.001
_STALL_S: Final = 0.002
# A process that has spent this much of the time computing is not waiting for anything: another thread would only
# compete for the interpreter. Work that lets go of it (a digest, a password's hash) shows in a long turn instead.
_BUSY: Final = 0.6
_LONG_S: Final = 0.010
_SQUEEZED: Final = 0.2
_IDLE_S: Final = 10.0
_MOST_AT_ONCE: Final = 16


class WorkerPool:
    """Runs `handle(fd)` for each event of `poller`, in at most `most` threads.

    There is no queue between the thread that sees a request and the one that answers it: they are the same. A thread
    more joins the turn when a request waited while nobody waited for events, or when nobody came back for two
    milliseconds; it leaves the turn after a request that did not wait, rests, and goes after ten seconds.

    That a request waited is known of a disk (`mft_common.process.blocking`), and guessed of all else (a database, a
    client) from a millisecond in which neither the process computed nor the thread stood in line for a processor.
    """

    def __init__(self, poller: Poller, handle: Callable[[int], None], most: int) -> None:
        self._poller = poller
        self._handle = handle
        self._most = max(most, 1)
        self._lock = threading.Lock()
        self._rest = threading.Semaphore(0)
        self._busy = threading.Event()
        self._stopped = threading.Event()
        # Threads there are, of them in turn, of these waiting for events; those that rest; turns that were taken.
        self._threads = self._in_turn = self._waiting = self._resting = self._turns = 0

    def start(self) -> None:
        """Begin with one thread, and one that looks for stalls."""
        with self._lock:
            self._join(1)
        threading.Thread(target=self._look_for_stalls, name="serving-stalls", daemon=True).start()

    def stop(self) -> None:
        """Let each thread go once it is idle."""
        self._stopped.set()
        self._busy.set()

    def saturated(self) -> bool:
        """True while as many threads as there may be are at work, so that events wait for one."""
        return not self._waiting and self._in_turn >= self._most

    def _join(self, count: int) -> None:
        """Bring so many threads more into the turn; the lock is held."""
        for _ in range(count):
            if self._resting:
                self._resting -= 1
                self._rest.release()
            elif self._threads < self._most:
                # A thread that still answers when the process has waited long enough must not keep it from ending.
                try:
                    threading.Thread(target=self._work, name="serving", daemon=True).start()
                except RuntimeError:
                    # No more threads are to be had; those there are go on.
                    return
                self._threads += 1
            else:
                return
            self._in_turn += 1
            self._waiting += 1

    def _work(self) -> None:
        queue = _Queue()
        while not self._stopped.is_set():
            try:
                fd = self._poller.wait(_IDLE_S)
            except (OSError, ValueError):
                return
            if fd is None:
                if self._leave_quiet_turn():
                    return
                continue
            with self._lock:
                self._waiting -= 1
                alone = not self._waiting
            if alone and not self._busy.is_set():
                self._busy.set()
            watch = _Watch()
            try:
                self._handle(fd)
            except Exception:  # noqa: BLE001 -- one client's event must not cost the thread
                logs.get("serving").exception("event.failed")
            if not self._take_turn(waited=blocking.taken() or (watch.idled() and not queue.squeezed())):
                return

    def _take_turn(self, *, waited: bool) -> bool:
        """Go back to wait for events, or rest first; False when this thread is not needed any more."""
        with self._lock:
            self._turns += 1
            if waited or self._in_turn <= _SHORT_HANDED:
                if waited and not self._waiting:
                    self._join(1)
                self._waiting += 1
                return True
            self._in_turn -= 1
            self._resting += 1
        if self._rest.acquire(timeout=_IDLE_S):
            return True
        with self._lock:
            if self._rest.acquire(blocking=False):
                return True
            self._resting -= 1
            self._threads -= 1
            return False

    def _leave_quiet_turn(self) -> bool:
        with self._lock:
            if self._in_turn <= _SHORT_HANDED:
                return False
            self._in_turn -= 1
            self._waiting -= 1
            self._threads -= 1
            return True

    def _look_for_stalls(self) -> None:
        """Bring in threads, ever more of them, while all are busy and none comes back."""
        count, turns, watch = 1, -1, _Watch()
        while not self._stopped.is_set():
            self._busy.wait()
            self._busy.clear()
            if turns != self._turns:
                turns, watch = self._turns, _Watch()
            self._stopped.wait(_STALL_S)
            with self._lock:
                stalled = not self._waiting and turns == self._turns and watch.stalled()
                if stalled:
                    self._join(count)
                if not self._waiting:
                    self._busy.set()
            count = min(count * 2, _MOST_AT_ONCE) if stalled else 1


class _Watch:
    """Times a piece of work by the clock and by what the whole process computes meanwhile."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._computed = time.process_time()

    def idled(self) -> bool:
        """True for work that took time in which the process did not compute, but waited for something."""
        took = time.monotonic() - self._began
        return took >= _SHORT_S and time.process_time() - self._computed < _BUSY * took

    def stalled(self) -> bool:
        """True for work that idles, and for any that is long: it may well let go of the interpreter."""
        return self.idled() or time.monotonic() - self._began >= _LONG_S


class _Queue:
    """How long the thread that made it had to wait for a processor: more threads would wait as well."""

    def __init__(self) -> None:
        self._asked_at = time.monotonic()
        self._delay = _run_delay()

    def squeezed(self) -> bool:
        """True where that was a good part of the time since the last question."""
        before, self._asked_at = self._asked_at, time.monotonic()
        delay, self._delay = self._delay, _run_delay()
        return self._delay - delay > _SQUEEZED * (self._asked_at - before)


def _run_delay() -> float:
    """Return the seconds that this thread was ready to run and did not; 0 where the system does not tell."""
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:  # noqa: PTH123 -- asked often
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
