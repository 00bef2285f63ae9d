"""Run coroutines on an asyncio loop of its own thread, for callers that are not asynchronous."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from mft_common.endpoints.errors import Transient
from mft_common.endpoints.sftp.coalescing import CoalescingLoop

T = TypeVar("T")
# Seconds that `stop` waits for the loop's thread; it is a daemon, so that it never holds up the end of the process.
_STOP_WITHIN: Final = 2.0
_LOOK_EVERY: Final = 1.0


class _Call(Generic[T]):
    """A coroutine that runs on a loop while its caller waits in another thread.

    `run_coroutine_threadsafe` does the same with two futures that are chained, at twice the processor time.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[None] | None = None
        self._answer: list[T] = []
        self._error: BaseException | None = None
        self._ended = threading.Lock()
        self._ended.acquire()

    def start(self) -> None:
        """Begin, on the loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """Cancel the coroutine, on the loop."""
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Give up a coroutine that was not begun."""
        self._coroutine.close()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; return whether it came."""
        return self._ended.acquire(timeout=seconds)

    def result(self) -> T:
        """Return what the coroutine returned, or raise what it raised; after the end."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._answer[0]

    async def _run(self) -> None:
        try:
            self._answer.append(await self._coroutine)
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            self._error = error
        finally:
            self._ended.release()


class LoopThread:
    """A thread that runs one event loop until `stop`."""

    def __init__(self, name: str) -> None:
        self._loop = CoalescingLoop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result; its own awaits limit how long that takes."""
        if self._loop.is_closed():
            coroutine.close()
            raise Transient("the connection is closed")
        call = _Call(coroutine)
        self.submit(call.start)
        try:
            self._wait_for(call)
            return call.result()
        except asyncio.CancelledError as error:
            raise Transient("the connection was closed meanwhile") from error
        except BaseException:
            self.submit(call.cancel)
            raise

    def _wait_for(self, call: _Call[Any]) -> None:
        """Wait for the end; Transient where the loop was stopped before the coroutine began."""
        while not call.wait(_LOOK_EVERY):
            if not self._thread.is_alive() and not call.wait(0):
                call.close()
                raise Transient("the connection is closed")

    def submit(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function on the loop soon, without waiting for it; nothing happens once the loop has stopped."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def stop(self) -> None:
        """Cancel every task, end the thread and close the loop."""
        if self._loop.is_closed():
            return
        self.submit(self._loop.stop)
        self._thread.join(_STOP_WITHIN)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=_STOP_WITHIN / 2))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
