"""Run the child of one attempt of a piece of work, which may be asked to end at any moment."""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from mft_common.errors import Unavailable
from mft_common.process.runner import End, Handle, Json, OnMessage

R = TypeVar("R")

_AGAIN_S: Final = 0.5


def until_written(write: Callable[[], R], may_wait: Callable[[], bool] = lambda: True) -> R:
    """Return what `write` returns; while the database is away it is called again, as long as `may_wait` says so."""
    while True:
        try:
            return write()
        except Unavailable:
            if not may_wait():
                raise
            time.sleep(_AGAIN_S)


class Runner(Protocol):
    """The part of `mft_common.process.runner.Runner` that runs a child."""

    def run(self, target: str, payload: Json, on_message: OnMessage) -> Handle:
        """Run a function in a child."""
        ...


class Child:
    """The child of one attempt. A request to end it may come before the child is there.

    `asked` is the word for how the work is to end, "" as long as nobody has asked; the first one counts.
    """

    def __init__(self, runner: Runner) -> None:
        self.asked = ""
        self._runner = runner
        self._lock = threading.Lock()
        self._handle: Handle | None = None
        self._killed = False

    def note(self, end: str) -> None:
        """Note a request that the child need not hear of."""
        with self._lock:
            self.asked = self.asked or end

    def stop(self, end: str) -> None:
        """Ask the child to stop between two steps."""
        with self._lock:
            self.asked = self.asked or end
            if self._handle is not None:
                self._handle.stop()

    def kill(self, end: str) -> None:
        """Kill the child; the word of an earlier request stands."""
        with self._lock:
            self.asked = self.asked or end
            self._killed = True
            if self._handle is not None:
                self._handle.kill()

    def run(self, target: str, payload: Json, on_message: OnMessage) -> End:
        """Run `package.module:function` in the child and wait for its end.

        `on_message` is called again while it raises Unavailable, as long as the child may live.
        """

        def answer(kind: str, data: Json) -> Json:
            return until_written(lambda: on_message(kind, data), lambda: not self._killed)

        handle = self._runner.run(target, payload, answer)
        with self._lock:
            self._handle = handle
            if self._killed:
                handle.kill()
            elif self.asked:
                handle.stop()
        end = handle.wait()
        assert end is not None
        return end
