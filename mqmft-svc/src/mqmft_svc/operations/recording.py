"""Keep the record of transfers: apply the changes that events stand for, and delete what is old."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.clock import Clock
from mft_common.database import Database
from mqmft_svc.domain.states import is_final
from mqmft_svc.domain.transfers import Change, Item, Transfer, new_transfer
from mqmft_svc.settings import Settings
from mqmft_svc.store import transfers as store

_PURGE_AT_ONCE: Final = 500
_DAY_MS: Final = 86_400_000


def _inserted(fresh: Mapping[str, Transfer], arrivals: Mapping[str, int]) -> Iterator[Transfer]:
    """Yield the records that were inserted, each with its arrival."""
    for id_, arrival in arrivals.items():
        fresh[id_].arrival = arrival
        yield fresh[id_]


class Recorder:
    """The writer of the record.

    `applied_qmgr` reads, in the transaction of a new record, the coordination queue manager that the configuration
    applied last names: a worker outlives changes of the configuration.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        applied_qmgr: Callable[[sa.Connection], str],
        now: Clock = clock.now_ms,
    ) -> None:
        self._database = database
        self._settings = settings
        self._applied_qmgr = applied_qmgr
        self._now = now
        self._log = logs.get("operations")

    def record(self, connection: sa.Connection, changes: Sequence[Change]) -> None:
        """Apply `changes` to the record, in the caller's transaction (4.A, 4.B)."""
        waiting: dict[str, list[Change]] = {}
        for change in changes:
            waiting.setdefault(change.id, []).append(change)
        while waiting:
            known = store.lock(connection, list(waiting))
            unknown = [id_ for id_ in waiting if id_ not in known]
            qmgr = self._applied_qmgr(connection) if unknown else ""
            fresh = {id_: new_transfer(waiting[id_][0], qmgr) for id_ in unknown}
            waiting = {id_: self._of_network(known.get(id_) or fresh[id_], group) for id_, group in waiting.items()}
            for id_, group in waiting.items():
                for change in group:
                    (known.get(id_) or fresh[id_]).apply(change)
            # Sorted: two workers that insert the same transfers in different orders would deadlock.
            arrivals = store.insert(connection, [fresh[id_] for id_ in sorted(fresh)])
            store.update(connection, known.values())
            self._record_items(connection, waiting, arrivals, known)
            self._count_items(connection, [*known.values(), *_inserted(fresh, arrivals)])
            # Another worker may have inserted a transfer first: it is read and changed in another round.
            waiting = {id_: group for id_, group in waiting.items() if id_ in fresh and id_ not in arrivals}

    def _of_network(self, record: Transfer, group: Sequence[Change]) -> list[Change]:
        """Return the changes of the network that made the record: another one cannot change its transfers (198)."""
        own = [change for change in group if change.network == record.network]
        if len(own) < len(group):
            self._log.warning("transfer.of_another_network", transfer=record.id, network=record.network)
        return own

    def _record_items(
        self,
        connection: sa.Connection,
        waiting: Mapping[str, Sequence[Change]],
        arrivals: Mapping[str, int],
        known: Mapping[str, Transfer],
    ) -> None:
        changed: dict[int, dict[int, Item]] = {}
        for id_, group in waiting.items():
            arrival = known[id_].arrival if id_ in known else arrivals.get(id_)
            given = [one for change in group for one in change.items]
            stored = [one for one in given if one.position < self._settings.max_items]
            if len(stored) < len(given):
                self._log.warning("items.too_many", msg_id="MQWB0404E", transfer=id_, limit=self._settings.max_items)
            if arrival is None:
                continue
            merged = changed.setdefault(arrival, {})
            for one in stored:
                before = merged.get(one.position)
                merged[one.position] = one if before is None else before.merged(one)
        store.add_items(connection, changed)

    @staticmethod
    def _count_items(connection: sa.Connection, records: Sequence[Transfer]) -> None:
        """Count the items of the transfers of networks that still run."""
        running = [record for record in records if record.network and not is_final(record.state)]
        if not running:
            return
        items = store.items(connection, [record.arrival for record in running])
        for record in running:
            record.count_items(items[record.arrival])
        store.update(connection, running)

    def purge(self) -> int:
        """Delete one batch of the transfers that are older than MQMFT_KEEP_DAYS; return how many (200)."""
        days = self._settings.keep_days
        if days == 0:
            return 0
        with self._database.write() as connection:
            return store.delete_older(connection, self._now() - days * _DAY_MS, _PURGE_AT_ONCE)
