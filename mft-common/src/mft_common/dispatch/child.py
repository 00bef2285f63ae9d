"""Run one attempt of a piece of work in a child, which may be asked to end at any moment, and store its end."""

import abc
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from mft_common.database.leases import LeaseLost
from mft_common.errors import Unavailable
from mft_common.process.runner import End, Handle, Json, MessageTooLarge, OnMessage, PoolFull

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


class ChildProcess(abc.ABC):
    """The `Process` of one attempt in a child: `target` is the function of the child, `payload` what it gets.

    A service overrides how messages are answered and how ends are stored. Each of these methods is called again while
    it raises Unavailable, and may raise LeaseLost: the piece is another worker's by then, and nothing more is stored.

    `_asked` is the word for how the piece is to end, "" as long as nobody has asked; the first one counts. A request
    may come before the child is there, and after its end.
    """

    def __init__(self, runner: Runner, target: str, payload: Json) -> None:
        self._runner = runner
        self._target = target
        self._payload = payload
        self._asked = ""
        self._lock = threading.Lock()
        self._handle: Handle | None = None
        self._killed = False

    def run(self) -> None:
        """Run the child, and store how it ended, again and again while the database is away."""
        try:
            end = self._run_child()
        except (Unavailable, PoolFull) as error:
            return self._store(self._no_process, error)
        except MessageTooLarge as error:
            return self._store(self._too_large, error)
        except Exception as error:  # noqa: BLE001 -- raised again, unless the service stores it
            return self._store(self._failed, error)
        if isinstance(end.refusal, LeaseLost):
            return None
        return self._store(self._ended, end)

    def stop(self, end: str) -> None:
        """Ask the child to stop between two steps; the piece ends as `end`."""
        with self._lock:
            self._asked = self._asked or end
            if self._handle is not None:
                self._handle.stop()

    def kill(self, end: str) -> None:
        """Kill the child; the word of an earlier request stands."""
        with self._lock:
            self._asked = self._asked or end
            self._killed = True
            if self._handle is not None:
                self._handle.kill()

    def abandon(self, end: str) -> None:
        """Kill the child: the worker itself ends."""
        self.kill(end)

    def _note(self, end: str) -> None:
        """Note a request that the child need not hear of."""
        with self._lock:
            self._asked = self._asked or end

    def _run_child(self) -> End:
        handle = self._runner.run(self._target, self._payload, self._answer)
        with self._lock:
            self._handle = handle
            if self._killed:
                handle.kill()
            elif self._asked:
                handle.stop()
        end = handle.wait()
        assert end is not None
        return end

    def _answer(self, kind: str, data: Json) -> Json:
        return until_written(lambda: self._on_message(kind, data), lambda: not self._killed)

    def _store(self, write: Callable[[R], None], how: R) -> None:
        try:
            until_written(lambda: write(how))
        except LeaseLost:
            self._log_lost()

    @abc.abstractmethod
    def _on_message(self, kind: str, data: Json) -> Json:
        """Write a report of the child or answer its question; not repeated once the child is killed."""

    @abc.abstractmethod
    def _ended(self, end: End) -> None:
        """Store how the child ended."""

    @abc.abstractmethod
    def _no_process(self, error: Exception) -> None:
        """Store that no child could be started at the moment."""

    def _too_large(self, error: Exception) -> None:
        """Store that the payload has more bytes than a child takes: no later try would do better."""
        self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Store that a fault of ours kept the child from its work; raised, it leaves the piece to `Work.recover`."""
        raise error

    @abc.abstractmethod
    def _log_lost(self) -> None:
        """Log that the piece was another worker's before its end was stored."""
