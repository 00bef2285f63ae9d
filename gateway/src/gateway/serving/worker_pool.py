"""Threads that wait for events and handle them, as many as are busy and one more."""

import threading
from collections.abc import Callable
from typing import Final

from gateway.serving.poller import Poller
from mft_common import logs

_IDLE_S: Final = 10.0


class WorkerPool:
    """Runs `handle(fd)` for each event of `poller`, in at most `most` threads.

    The thread that gets an event handles it, so that no queue lies between them. When the last waiting thread gets one,
    another thread is started; a thread ends when it has waited for `idle` seconds and another one waits too.
    """

    def __init__(self, poller: Poller, handle: Callable[[int], None], most: int, *, idle: float = _IDLE_S) -> None:
        self._poller = poller
        self._handle = handle
        self._most = max(most, 1)
        self._idle = idle
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = self._waiting = 0

    @property
    def threads(self) -> int:
        """How many threads there are."""
        return self._threads

    def start(self) -> None:
        """Start the first thread."""
        with self._lock:
            self._add_thread()

    def stop(self) -> None:
        """Let each thread end once it is idle."""
        self._stopped.set()

    def saturated(self) -> bool:
        """Return whether every thread is busy and no more may be started, so that events wait."""
        return not self._waiting and self._threads >= self._most

    def _add_thread(self) -> None:
        """Start a thread, unless there are enough; the lock is held."""
        if self._threads >= self._most:
            return
        try:
            # A daemon: a request that outlasts the drain does not keep the process from ending.
            threading.Thread(target=self._work, name="serving", daemon=True).start()
        except RuntimeError:
            # The system has no more threads; the existing ones go on.
            return
        self._threads += 1
        self._waiting += 1

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                fd = self._poller.wait(self._idle)
            except (OSError, ValueError):
                return
            if fd is None:
                if self._end_idle():
                    return
                continue
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self._add_thread()
            try:
                self._handle(fd)
            except Exception:  # noqa: BLE001 -- an error of one client's event must not end the thread
                logs.get("serving").exception("event.failed")
            with self._lock:
                self._waiting += 1

    def _end_idle(self) -> bool:
        """Return whether the calling thread is to end because another one waits as well."""
        with self._lock:
            if self._waiting == 1:
                return False
            self._threads -= 1
            self._waiting -= 1
            return True
