"""Keep the record of transfers: apply the changes that events stand for, and delete what is old."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.clock import Clock
from mft_common.database import Database
from mqmft_svc.domain.places import place_of
from mqmft_svc.domain.states import counts_all_files
from mqmft_svc.domain.transfers import Change, Item, Transfer, new_transfer
from mqmft_svc.settings import Settings
from mqmft_svc.store import deliveries
from mqmft_svc.store import transfers as store

_PURGE_AT_ONCE: Final = 500


def _of_network(record: Transfer, group: Sequence[Change]) -> list[Change]:
    """Return the changes of the network that made the record: another one cannot change its transfers (198)."""
    return [change for change in group if change.network == record.network]


def _apply(record: Transfer, group: Sequence[Change]) -> None:
    for change in _of_network(record, group):
        record.apply(change)


def _note_deliveries(
    connection: sa.Connection, records: Mapping[str, Transfer], waiting: Mapping[str, list[Change]]
) -> None:
    """Note which files the transfers of the hub have written, for the monitors that see them."""
    if not deliveries.any_monitor(connection):
        return
    rows = []
    for id_, record in records.items():
        for change in _of_network(record, waiting[id_]) if not record.network else ():
            for item in change.items:
                if item.leaves.get("state") == "successful" and (path := item.leaves.get("destination.path")):
                    size = item.leaves.get("destination.size") or 0
                    place = place_of(record.protocol, record.destination_agent, path)
                    rows.append({"place": place, "transfer": id_, "size": size, "at": change.time})
    deliveries.DELIVERIES.note(connection, rows)


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
        """Apply `changes` to the record, in the caller's transaction (4.A, 4.B).

        New transfers are inserted before known ones are locked, both in the order of their ids: so workers that record
        the same transfers in different orders wait for one another and never in a circle.
        """
        waiting: dict[str, list[Change]] = {}
        for change in changes:
            waiting.setdefault(change.id, []).append(change)
        while waiting:
            records = self._insert_missing(connection, waiting)
            known = store.lock(connection, [id_ for id_ in waiting if id_ not in records])
            for id_, record in known.items():
                _apply(record, waiting[id_])
            store.update(connection, known.values())
            records |= known
            self._record_items(connection, records, waiting)
            self._count_items(connection, list(records.values()))
            _note_deliveries(connection, records, waiting)
            # A transfer that was purged between the two steps is inserted in another round.
            waiting = {id_: group for id_, group in waiting.items() if id_ not in records}

    def _insert_missing(self, connection: sa.Connection, waiting: Mapping[str, list[Change]]) -> dict[str, Transfer]:
        """Insert the transfers that are not recorded yet; return those that no other worker has inserted first."""
        missing = store.missing(connection, list(waiting))
        qmgr = self._applied_qmgr(connection) if missing else ""
        fresh = {id_: new_transfer(waiting[id_][0], qmgr) for id_ in missing}
        for id_, record in fresh.items():
            _apply(record, waiting[id_])
        arrivals = store.insert(connection, fresh.values())
        for id_, arrival in arrivals.items():
            fresh[id_].arrival = arrival
        return {id_: fresh[id_] for id_ in arrivals}

    def _record_items(
        self, connection: sa.Connection, records: Mapping[str, Transfer], waiting: Mapping[str, list[Change]]
    ) -> None:
        changed: dict[int, dict[int, Item]] = {}
        for id_, record in records.items():
            own = _of_network(record, waiting[id_])
            if len(own) < len(waiting[id_]):
                self._log.warning("transfer.of_another_network", transfer=id_, network=record.network)
            given = [one for change in own for one in change.items]
            stored = [one for one in given if one.position < self._settings.max_items]
            if len(stored) < len(given):
                self._log.warning("items.too_many", msg_id="MQWB0404E", transfer=id_, limit=self._settings.max_items)
            merged = changed.setdefault(record.arrival, {})
            for one in stored:
                before = merged.get(one.position)
                merged[one.position] = one if before is None else before.merged(one)
        store.add_items(connection, changed)

    @staticmethod
    def _count_items(connection: sa.Connection, records: Sequence[Transfer]) -> None:
        """Count the items of the transfers of networks that still run, or were stopped."""
        running = [record for record in records if record.network and not counts_all_files(record.state)]
        if not running:
            return
        items = store.items(connection, [record.arrival for record in running])
        for record in running:
            record.count_items(items[record.arrival])
        store.update(connection, running)

    def purge(self) -> int:
        """Delete one batch of the transfers that are older than MQMFT_KEEP_DAYS; return how many (200)."""
        since = self._settings.kept_since(self._now())
        if since is None:
            return 0
        with self._database.write() as connection:
            return store.delete_older(connection, since, _PURGE_AT_ONCE)
