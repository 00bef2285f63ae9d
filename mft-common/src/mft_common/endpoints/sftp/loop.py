"""Run coroutines on an asyncio loop of its own thread, for callers that are not asynchronous."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, Final, TypeVar

from mft_common.endpoints.errors import Transient
from mft_common.endpoints.sftp.coalescing import CoalescingLoop

T = TypeVar("T")
# Seconds that `stop` waits for the loop's thread; it is a daemon, so that it never holds up the end of the process.
_STOP_WITHIN: Final = 2.0
_LOOK_EVERY: Final = 1.0


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
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return self._result_of(future)
        except CancelledError as error:
            raise Transient("the connection was closed meanwhile") from error
        except BaseException:
            future.cancel()
            raise

    def _result_of(self, future: Future[T]) -> T:
        """Wait for a result; Transient where the loop was stopped before the coroutine began."""
        while True:
            try:
                return future.result(_LOOK_EVERY)
            except TimeoutError:
                if future.done():
                    return future.result()
                if not self._thread.is_alive():
                    raise Transient("the connection is closed") from None

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
