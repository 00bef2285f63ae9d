"""Digest and write the blocks of an upload in a thread beside the one that receives them."""

import queue
import threading
from collections.abc import Callable
from typing import Final

Block = memoryview | bytes

_MOST_WAITING: Final = 4


class BackgroundWriter:
    """Calls `take(block)` for each block in order, in a thread of its own: digests and writes release the interpreter.

    At most four blocks are queued. An error of `take` is raised by the next call of `put` or `finish`.
    """

    def __init__(self, take: Callable[[Block], None]) -> None:
        self._take = take
        self._waiting: queue.Queue[Block | None] = queue.Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="background-writer", daemon=True)
        self._thread.start()

    def put(self, block: Block) -> None:
        """Queue a block, which must not change any more."""
        self._check()
        self._waiting.put(block)

    def finish(self) -> None:
        """Wait until every block was processed."""
        self.stop()
        self._check()

    def stop(self) -> None:
        """End the thread after the queued blocks, and raise none of their errors."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (block := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._take(block)
                except BaseException as error:  # noqa: BLE001 -- `put` and `finish` raise it
                    self._error = error
