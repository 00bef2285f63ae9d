"""Note which execution wrote a file of this machine that another task watches, so that its transfer is named (111)."""

from collections.abc import Iterable

import sqlalchemy as sa

from sertainty_svc.domain.executions import Execution, ExecutionFile
from sertainty_svc.domain.places import FILESTORE, folder_of, folders_above, place_of
from sertainty_svc.operations.watched_folders import WatchedFolders
from sertainty_svc.store.tables import DELIVERIES


def note(
    connection: sa.Connection, watched: WatchedFolders, execution: Execution, files: Iterable[ExecutionFile], at: int
) -> None:
    """Note files that were delivered at a time; of those in the filestore `file.stored.v1` tells."""
    folder = folder_of(execution.definition.folders.destination)
    if folder.startswith(FILESTORE):
        return
    known = watched.find(connection)
    rows = [
        {
            "place": place_of(folder, one.destination),
            "transfer": execution.transfer_id,
            "size": one.delivered_size or 0,
            "at": at,
        }
        for one in files
        if not known.isdisjoint(folders_above(folder, one.destination))
    ]
    DELIVERIES.note(connection, rows)
