"""Make one try of a call in a child: of a call of a transfer, or of one that was asked for by itself."""

import abc
from typing import Final

from mft_common.clock import Clock
from mft_common.dispatch import ChildProcess, Runner
from mft_common.process.runner import End, Json
from mqmft_svc.domain.calls import Try

# The end of a try that the end of its worker interrupts: the next worker makes it again.
INTERRUPTED: Final = "interrupted"
_NO_PROCESS_MS: Final = 5_000


class TryProcess(ChildProcess):
    """One try of a call."""

    def __init__(self, runner: Runner, target: str, payload: Json, now: Clock) -> None:
        super().__init__(runner, target, payload)
        self._now = now

    def stop(self, end: str) -> None:
        """Kill the child: a call that waits for its answer hears nothing else."""
        self.kill(end)

    def _ended(self, end: End) -> None:
        if self._asked and not end.completed:
            self._stopped(self._asked)
        else:
            self._tried(try_of(end))

    def _no_process(self, _error: Exception) -> None:
        self._wait(self._now() + _NO_PROCESS_MS)

    def _too_large(self, _error: Exception) -> None:
        self._tried(Try(reason="the request has more bytes than a process takes", is_final=True))

    @abc.abstractmethod
    def _tried(self, tried: Try) -> None:
        """Store a try."""

    @abc.abstractmethod
    def _wait(self, due_at: int) -> None:
        """Let a worker make this try again, from `due_at` on."""

    @abc.abstractmethod
    def _stopped(self, asked: str) -> None:
        """Store that the child was killed as it was asked for: by the end of the worker, or to stop its piece."""


def try_of(end: End) -> Try:
    """Return how the try of a child went."""
    if end.completed:
        return Try.from_json(end.result)
    return Try(reason=f"the process of the call {end.reason}")
