"""Remove in children what pieces of work that are over have left, again and again until it succeeds."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import sqlalchemy as sa

from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.sweeps import Claimed, Sweeps
from mft_common.dispatch.child import Runner
from mft_common.errors import MftError, Unavailable
from mft_common.process.runner import End, Json, OnMessage, TimedHandle

# A key as in `Sweeps`.
K = TypeVar("K", int, str)

_AT_ONCE: Final = 8
_LOOK_EVERY_S: Final = 1.0
_POLL_S: Final = 0.05
# How long one removal may take; the next try comes later in any case.
_LONGEST_S: Final = 30.0


def _ignore(_kind: str, _data: Json) -> None:
    """Ignore a message."""


@dataclass(frozen=True)
class RemovalOrder:
    """The payload of the child of a removal, and the function that answers its questions."""

    payload: Json
    answer: OnMessage = _ignore


class Removals(Protocol[K]):
    """The removals of one service: `sweeps` has a row for each piece of work that may have left something.

    `target` is the function of the child, which returns a mapping with the `problem` that prevented the removal, or "".
    """

    @property
    def sweeps(self) -> Sweeps[K]:
        """The rows."""
        ...

    @property
    def target(self) -> str:
        """The function, as `package.module:function`."""
        ...

    def places(self, connection: sa.Connection, keys: Sequence[K]) -> Mapping[K, str]:
        """Return where each piece of work may have left something: one removal at a time is carried out at a place."""
        ...

    def order(self, connection: sa.Connection, claimed: Claimed[K]) -> RemovalOrder:
        """Return what the child gets; MftError where nothing can be removed now."""
        ...

    def ended(self, connection: sa.Connection, claimed: Claimed[K], problem: str, result: Json) -> bool:
        """Store what a try has found, and return whether it was the last one: the row is deleted then.

        `result` is what the child returned, None where it returned nothing. Called again where the commit failed.
        """
        ...


@dataclass(frozen=True)
class _Begun(Generic[K]):
    claimed: Claimed[K]
    child: TimedHandle


class Sweeper(Generic[K]):
    """Carries out removals: a far side that hangs holds up neither the worker nor other far sides.

    A removal that takes more than `longest` seconds is killed, and keeps its place until its process has ended.
    """

    def __init__(
        self, removals: Removals[K], database: Database, runner: Runner, *, now: Clock, longest: float = _LONGEST_S
    ) -> None:
        # One that is about to end may run beside the next one.
        self._new: Callable[[], _Turn[K]] = lambda: _Turn(removals, database, runner, now, longest)

    def run(self, stop: threading.Event) -> None:
        """Carry out the removals that are due until `stop`; those that are under way then are tried again later."""
        self._new().run(stop)

    def sweep(self, seconds: float) -> None:
        """Carry out the removals that are due, for at most so many seconds."""
        self._new().sweep(seconds)


class _Turn(Generic[K]):
    """The removals of one call of a sweeper."""

    def __init__(self, removals: Removals[K], database: Database, runner: Runner, now: Clock, longest: float) -> None:
        self._removals: Removals[K] = removals
        self._database = database
        self._runner = runner
        self._now = now
        self._longest = longest
        self._begun: list[_Begun[K]] = []
        self._looked = float("-inf")
        self._log = logs.get("sweeps")

    def run(self, stop: threading.Event) -> None:
        """See Sweeper."""
        try:
            while not stop.wait(_POLL_S if self._begun else _LOOK_EVERY_S):
                self._step()
        finally:
            self._put_back()

    def sweep(self, seconds: float) -> None:
        """See Sweeper."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        try:
            self._step()
            while self._begun and time.monotonic() < deadline:
                pause.wait(_POLL_S)
                self._step()
        finally:
            self._put_back()

    def _step(self) -> None:
        """Look after the removals that are under way, and begin others that are due where there is room."""
        under_way = len(self._begun)
        self._begun = [one for one in self._begun if not self._is_over(one)]
        if len(self._begun) == under_way and time.monotonic() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        # While the database is away, the next look comes in a second.
        with contextlib.suppress(Unavailable):
            for claimed in self._claim():
                self._begin(claimed)

    def _claim(self) -> Sequence[Claimed[K]]:
        room, sweeps = _AT_ONCE - len(self._begun), self._removals.sweeps
        if room == 0 or not self._database.query(lambda each: sweeps.any_due(each, self._now())):
            return ()
        busy = {one.claimed.place for one in self._begun}
        with self._database.write() as connection:
            places = lambda keys: self._removals.places(connection, keys)  # noqa: E731
            return sweeps.claim(connection, self._now(), room, places, busy)

    def _begin(self, claimed: Claimed[K]) -> None:
        try:
            with self._database.read() as connection:
                order = self._removals.order(connection, claimed)
            handle = self._runner.run(self._removals.target, order.payload, order.answer)
        except MftError as error:
            self._end(claimed, str(error))
        except Exception as error:  # noqa: BLE001 -- a fault of ours about one removal must not hold up the others
            self._log.exception("sweep.not_begun", key=claimed.key)
            self._end(claimed, f"an internal error ({type(error).__name__})")
        else:
            self._begun.append(_Begun(claimed, TimedHandle(handle, self._longest)))

    def _is_over(self, one: _Begun[K]) -> bool:
        """Return whether a removal has ended and that is stored."""
        end = one.child.poll()
        if end is None:
            return False
        return self._end(one.claimed, self._problem(one, end), end.result if end.completed else None)

    def _problem(self, one: _Begun[K], end: End) -> str:
        if end.completed:
            return str(end.result["problem"])
        return f"it took longer than {self._longest:g} s" if one.child.overdue else f"its process {end.reason}"

    def _end(self, claimed: Claimed[K], problem: str, result: Json = None) -> bool:
        """Store the end of a try; return False while the database is away."""
        try:
            with self._database.write() as connection:
                if self._removals.ended(connection, claimed, problem, result):
                    self._removals.sweeps.remove(connection, claimed.key)
        except Unavailable:
            return False
        except Exception:  # noqa: BLE001 -- as in _begin
            self._log.exception("sweep.not_ended", key=claimed.key)
        if problem:
            self._log.warning("sweep.failed", key=claimed.key, tries=claimed.tries, error=problem)
        return True

    def _put_back(self) -> None:
        """Kill what is under way, and let it be tried again as if this try had not been."""
        begun, self._begun = self._begun, []
        for one in begun:
            one.child.kill()
        # Where the database is away the next try comes by itself.
        with contextlib.suppress(Unavailable), self._database.write() as connection:
            for one in begun:
                self._removals.sweeps.put_back(connection, one.claimed, self._now())
