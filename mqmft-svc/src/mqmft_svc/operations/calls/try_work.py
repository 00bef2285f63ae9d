"""Give tries of calls to the workers: of calls of transfers, or of those that were asked for by themselves."""

import abc
import time
from collections.abc import Sequence
from typing import ClassVar, Final, Generic, TypeVar

import sqlalchemy as sa

from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.leases import Lease
from mft_common.database.statements import Connection
from mft_common.database.workers import Workers
from mft_common.dispatch import Begin, Limits, Runner
from mqmft_svc.operations.calls.try_process import INTERRUPTED

_AT_ONCE: Final = 16
_LEASE_S: Final = 15.0
# How many calls of one receiver run at once, on all workers.
_OF_ONE_RECEIVER: Final = 4
# All that are due may wait for receivers that are busy.
_LOOK_AGAIN_S: Final = 0.25

P = TypeVar("P")


class TryWork(abc.ABC, Generic[P]):
    """The part of the work of a dispatcher that is the same for all calls: each piece `P` is one try.

    `hosts` are those that calls may reach. `lease` is that of the workers (s).
    """

    interrupted = INTERRUPTED
    # Those that share the work.
    _workers: ClassVar[Workers]

    def __init__(
        self,
        database: Database,
        runner: Runner,
        *,
        hosts: Sequence[str],
        now: Clock,
        lease: float = _LEASE_S,
    ) -> None:
        # A try that is interrupted is made again by the next worker: no end is waited for.
        self.limits = Limits(_AT_ONCE, lease, 0.0)
        self._database = database
        self._runner = runner
        self._hosts = hosts
        self._now = now
        self._not_before = 0.0

    def refresh(self, _connection: sa.Connection) -> Limits:
        """Return the limits, which are always the same."""
        return self.limits

    def prepare(self) -> None:
        """Do nothing: a call leaves nothing behind."""

    def is_waiting(self) -> bool:
        """Return whether a call is due, and may not wait for its receiver alone."""
        return time.monotonic() >= self._not_before and self._database.query(
            lambda each: self._any_due(each, self._now())
        )

    def take(self, lease: Lease, begin: Begin[str]) -> bool:
        """Take the piece whose call is due first, and begin the next try; False where there is none."""
        with self._database.write() as connection:
            if not self._workers.is_alive(connection, lease):
                # This worker was frozen since it renewed its lease; it ends with the next try to do so.
                return False
            piece = self._take(connection, lease.owner, self._now(), _OF_ONE_RECEIVER)
        if piece is None:
            self._not_before = time.monotonic() + _LOOK_AGAIN_S
            return False
        self._begin(piece, begin)
        return True

    @abc.abstractmethod
    def _any_due(self, connection: Connection, now: int) -> bool:
        """Return whether a call is due."""

    @abc.abstractmethod
    def _take(self, connection: sa.Connection, owner: str, now: int, of_one_receiver: int) -> P | None:
        """Give the piece whose call is due first to `owner`, while its receiver has fewer calls than that."""

    @abc.abstractmethod
    def _begin(self, piece: P, begin: Begin[str]) -> None:
        """Call `begin` with the process of a piece."""
