"""Remove the temporary files that jobs have left, in children, again and again until it succeeds (E14, E27)."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from diplomat_svc.domain.states import Severity
from diplomat_svc.operations.job_order import JobOrder
from diplomat_svc.operations.job_process import begin_sweep
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.store import sweeps
from diplomat_svc.store.sweeps import Sweep
from diplomat_svc.store.tables import SWEEPS
from mft_common import logs
from mft_common.dispatch import Runner
from mft_common.endpoints.registry import Endpoints
from mft_common.errors import Unavailable
from mft_common.process.runner import Handle, Json

_AT_ONCE: Final = 8
_LOOK_EVERY_S: Final = 1.0
_POLL_S: Final = 0.05
# How long the removal of one job's files may take; the next try comes later in any case.
_LONGEST_S: Final = 30.0


@dataclass(frozen=True)
class _Begun:
    sweep: Sweep
    handle: Handle
    until: float


class Sweeper:
    """Removes temporary files in children: a far side that hangs holds up neither the worker nor other far sides."""

    def __init__(self, runner: Runner, writer: JobWriter, endpoints: Callable[[], Endpoints]) -> None:
        self._runner = runner
        self._writer = writer
        self._database = writer.database
        self._clock = writer.clock
        self._endpoints = endpoints

    def run(self, stop: threading.Event) -> None:
        """Look for removals that are due until `stop`; those that are under way then are tried again later."""
        while not stop.wait(_LOOK_EVERY_S):
            try:
                if self._database.query(lambda each: SWEEPS.any_due(each, self._clock())):
                    self.sweep(stop)
            except Unavailable:
                # The next look comes in a second.
                continue
            except Exception:  # noqa: BLE001 -- this thread is the only one that removes what is left
                logs.get("jobs").exception("sweep.failed")

    def sweep(self, stop: threading.Event, seconds: float | None = None) -> None:
        """Carry out the removals that are due, until `stop` or for at most `seconds`."""
        deadline = None if seconds is None else time.monotonic() + seconds
        begun: list[_Begun] = []
        looked = float("-inf")
        try:
            while not (stop.is_set() or (deadline is not None and time.monotonic() > deadline)):
                under_way = len(begun)
                begun = [one for one in begun if not self._is_over(one)]
                if len(begun) < under_way or time.monotonic() - looked > _LOOK_EVERY_S:
                    looked = time.monotonic()
                    begun += self._begin(begun)
                if not begun:
                    return
                stop.wait(_POLL_S)
        finally:
            for one in begun:
                one.handle.kill()
        with self._database.write() as connection:
            for one in begun:
                SWEEPS.put_back(connection, one.sweep.job.sequence, self._clock())

    def _begin(self, under_way: list[_Begun]) -> list[_Begun]:
        most = _AT_ONCE - len(under_way)
        if most == 0 or not self._database.query(lambda each: SWEEPS.any_due(each, self._clock())):
            return []
        busy = {one.sweep.job.definition.destination.url for one in under_way}
        with self._database.write() as connection:
            claimed = sweeps.claim(connection, self._clock(), most, busy)
        begun = []
        for each in claimed:
            handle = begin_sweep(self._runner, self._order(each), each.temporaries)
            if handle is None:
                _log(each, "no process could be started for it")
            else:
                begun.append(_Begun(each, handle, time.monotonic() + _LONGEST_S))
        return begun

    def _is_over(self, one: _Begun) -> bool:
        """Return whether a removal has ended, or ran for so long that it was killed; write down a success."""
        end = one.handle.wait(0)
        if end is None:
            if time.monotonic() < one.until:
                return False
            one.handle.kill()
            problem = f"it took longer than {_LONGEST_S:.0f} s"
        else:
            problem = str(end.result["problem"]) if end.completed else end.reason
        findings = end.result["findings"] if end is not None and end.completed else ()
        if problem:
            _log(one.sweep, problem)
        with self._database.write() as connection:
            for text in findings:
                self._writer.record(connection, one.sweep.job, text, Severity.WARNING)
            if not problem:
                SWEEPS.remove(connection, one.sweep.job.sequence)
        return True

    def _order(self, each: Sweep) -> Json:
        definition = each.job.definition
        used = self._endpoints().only(definition.source.url, *definition.written_urls)
        order = {"job": JobOrder.of(each.job, 0).to_json(), "endpoints": used.to_json()}
        # Once: what is compared for long must not hold up the removal again and again. An archive that is unpacked is
        # not at the destination.
        unrecorded = each.unrecorded if each.tries == 1 and not definition.compress.unzip else ()
        return {**order, "unrecorded": unrecorded}


def _log(each: Sweep, problem: str) -> None:
    logs.get("jobs").warning("sweep.failed", sequence=each.job.sequence, tries=each.tries, error=problem)
