"""Run one look at a resource in a child of the worker, and kill it where the far side is silent."""

import time
from collections.abc import Mapping
from typing import Any, Final

from mft_common.dispatch import Runner
from mft_common.endpoints.errors import Transient
from mft_common.process.runner import Handle, Json, PoolFull
from mqmft_svc.operations.monitoring.child import PAGE

SILENCE_S: Final = 30.0
_LOOK_S: Final = 0.5


class Child:
    """The children of one resource, one after another. One that sends nothing for `silence` seconds is killed."""

    def __init__(self, runner: Runner, agent: str, silence: float) -> None:
        self.silence = silence
        self._runner = runner
        self._agent = agent
        self._handle: Handle | None = None
        self._closed = False

    def run(self, target: str, payload: Mapping[str, Any]) -> tuple[list[list[Any]], Mapping[str, Any]]:
        """Return the rows of all pages that the function `target` has sent, and its result; TransferError."""
        rows: list[list[Any]] = []
        heard = time.monotonic()

        def hear(kind: str, data: Json) -> None:
            nonlocal heard
            heard = time.monotonic()
            if kind == PAGE:
                rows.extend(data)

        try:
            handle = self._handle = self._runner.run(target, payload, hear)
        except PoolFull as error:
            raise Transient(str(error)) from error
        try:
            while (end := handle.wait(_LOOK_S)) is None:
                if self._closed:
                    handle.kill()
                    raise Transient(f"the look at the agent {self._agent} was ended")
                if time.monotonic() - heard > self.silence:
                    handle.kill()
                    raise Transient(f"the agent {self._agent} did not answer within {self.silence:g} s")
        finally:
            self._handle = None
        if not end.completed:
            raise Transient(f"the look at the agent {self._agent} {end.reason}")
        if end.result["problem"]:
            raise Transient(end.result["problem"])
        return rows, end.result

    def close(self) -> None:
        """Kill the child that is under way."""
        self._closed = True
        if (handle := self._handle) is not None:
            handle.kill()
