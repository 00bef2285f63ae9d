"""Combine the concurrent calls of many threads into few calls of one function."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

J = TypeVar("J")
Take = Callable[[], list[J]]


class _Waiter(Generic[J]):
    """A thread that waits until its job was served, or until it has to serve the next jobs."""

    __slots__ = ("error", "job", "served", "wake")

    def __init__(self, job: J) -> None:
        self.job = job
        self.served = False
        self.error: BaseException | None = None
        self.wake = threading.Lock()
        self.wake.acquire()


class CallCombiner(Generic[J]):
    """Calls `serve(take)`, one call at a time, until every job was taken by a call.

    `take()` returns the jobs that are queued by then, at most `most`; later jobs belong to the next call. Each thread
    waits on a lock of its own and is woken once: with a common lock all threads would wake for each job.
    """

    def __init__(self, serve: Callable[[Take[J]], None], most: int) -> None:
        self._serve = serve
        self._most = most
        self._lock = threading.Lock()
        self._queue: list[_Waiter[J]] = []
        self._busy = False

    @property
    def waiting(self) -> int:
        """The number of threads that wait to be served."""
        return len(self._queue)

    def join(self, job: J) -> None:
        """Return when `job` was served; raise the error of the call that took it."""
        waiter = _Waiter(job)
        with self._lock:
            self._queue.append(waiter)
            leads, self._busy = not self._busy, True
        if not leads:
            waiter.wake.acquire()
        if not waiter.served:
            self._lead()
        if waiter.error is not None:
            raise waiter.error

    def _lead(self) -> None:
        taken: list[_Waiter[J]] = []

        def take() -> list[J]:
            with self._lock:
                taken.extend(self._queue[: self._most])
                del self._queue[: self._most]
            return [waiter.job for waiter in taken]

        error: BaseException | None = None
        try:
            self._serve(take)
        except BaseException as raised:  # noqa: BLE001 -- every waiting thread raises it
            error = raised
        if not taken:
            take()
        with self._lock:
            following = self._queue[0] if self._queue else None
            self._busy = following is not None
        if following is not None:
            following.wake.release()
        for waiter in taken:
            waiter.served, waiter.error = True, error
            waiter.wake.release()
