"""Make one try of a call in a child: of a call of a transfer, or of one that was asked for by itself."""

import abc
from collections.abc import Callable
from typing import Final

from mft_common.clock import Clock
from mft_common.database.leases import LeaseLost
from mft_common.dispatch import Child, Runner, until_written
from mft_common.errors import Unavailable
from mft_common.process.runner import End, MessageTooLarge, PoolFull
from mqmft_svc.domain.calls import Try

# The end of a try that the end of its worker interrupts: the next worker makes it again.
INTERRUPTED: Final = "interrupted"
_NO_PROCESS_MS: Final = 5_000


class TryProcess(abc.ABC):
    """One try of a call; `run` returns once its end is stored, or the call is no longer this worker's."""

    def __init__(self, runner: Runner, now: Clock) -> None:
        self._child = Child(runner)
        self._now = now

    def stop(self, end: str) -> None:
        """Kill the child: a call that waits for its answer hears nothing else."""
        self._child.kill(end)

    def kill(self, end: str) -> None:
        """Kill the child."""
        self._child.kill(end)

    def abandon(self, end: str) -> None:
        """Kill the child: the worker itself ends."""
        self._child.kill(end)

    def run(self) -> None:
        """Run the child, and write how the try ended, again and again while the database is away."""
        try:
            end = self._run_child()
        except (Unavailable, PoolFull):
            return self._settle(lambda: self._wait(self._now() + _NO_PROCESS_MS))
        except MessageTooLarge:
            tried = Try(reason="the request has more bytes than a process takes", is_final=True)
            return self._settle(lambda: self._tried(tried))
        asked = self._child.asked
        if asked and not end.completed:
            return self._settle(lambda: self._stopped(asked))
        return self._settle(lambda: self._tried(try_of(end)))

    def _settle(self, write: Callable[[], None]) -> None:
        try:
            until_written(write)
        except LeaseLost:
            self._log_lost()

    @abc.abstractmethod
    def _run_child(self) -> End:
        """Run the child to its end."""

    @abc.abstractmethod
    def _tried(self, tried: Try) -> None:
        """Store a try."""

    @abc.abstractmethod
    def _wait(self, due_at: int) -> None:
        """Let a worker make this try again, from `due_at` on."""

    @abc.abstractmethod
    def _stopped(self, asked: str) -> None:
        """Store that the child was killed as it was asked for: by the end of the worker, or to stop its piece."""

    @abc.abstractmethod
    def _log_lost(self) -> None:
        """Log that the call is no longer this worker's."""


def try_of(end: End) -> Try:
    """Return how the try of a child went."""
    if end.completed:
        return Try.from_json(end.result)
    return Try(reason=f"the process of the call {end.reason}")
