"""Note files that the hub stored in folders that tasks watch, and wake the scans of these folders (84)."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.events import Envelope, FileStored
from sertainty_svc.domain.places import FILESTORE, folders_above, place_of
from sertainty_svc.operations.watched_folders import WatchedFolders
from sertainty_svc.store.tables import DELIVERIES, WATCHES

_STORE: Final = f"{FILESTORE}/"
# A task that takes a file later than this after it was stored does not name the transfer that wrote it.
_KEPT_MS: Final = 7 * 86_400_000
_PURGE_AT_ONCE: Final = 500


class Arrivals:
    """The files that filestore-svc has stored; `wake(connection, *folders)` wakes the scans of folders."""

    def __init__(self, database: Database, now: Clock, wake: Callable[..., None] = WATCHES.wake) -> None:
        self._database = database
        self._now = now
        self._wake = wake
        self._folders = WatchedFolders()

    def files_stored(self, connection: sa.Connection, envelopes: Sequence[Envelope[FileStored]]) -> None:
        """Note which transfers wrote files of watched folders, and wake their scans; a scan alone says what is there.

        An event that comes again, or late, does the same. All requests for scans are one call, after all deliveries:
        batches of two workers would wait for each other otherwise.
        """
        known = self._folders.find(connection)
        rows, watched = list[dict[str, Any]](), set[str]()
        for envelope in envelopes:
            event = envelope.data
            if above := known.intersection(folders_above(_STORE, event.path)):
                row = {"transfer": event.transfer_id, "size": event.size, "at": envelope.time}
                rows.append({"place": place_of(_STORE, event.path), **row})
                watched |= above
        DELIVERIES.note(connection, rows)
        self._wake(connection, *watched)

    def purge_all(self) -> None:
        """Delete the deliveries that no task asks for any more, in small transactions."""
        deleted = _PURGE_AT_ONCE
        while deleted == _PURGE_AT_ONCE:
            with self._database.write() as connection:
                deleted = DELIVERIES.purge(connection, self._now() - _KEPT_MS, _PURGE_AT_ONCE)
