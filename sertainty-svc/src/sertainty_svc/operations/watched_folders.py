"""Know the source folders of the Change tasks that may run (84)."""

import sqlalchemy as sa

from sertainty_svc.domain.places import source_of
from sertainty_svc.operations import agenda
from sertainty_svc.store.tables import WATCHES


class WatchedFolders:
    """The named folders that tasks watch, read anew where any watch has changed; any thread may ask."""

    def __init__(self) -> None:
        self._known: tuple[int, frozenset[str]] = (-1, frozenset())

    def find(self, connection: sa.Connection) -> frozenset[str]:
        """Return the folders that tasks watch now, as `places.source_of` names them."""
        revision = WATCHES.revision(connection)
        known, folders = self._known
        if revision != known:
            folders = frozenset(source_of(one.definition) for one in agenda.watched(connection))
            self._known = (revision, folders)
        return folders
