"""Give out fileset ids."""

import functools
import threading
from typing import Final

from filestore_svc.store import files
from filestore_svc.store.commits import Commits

_IDS_AT_ONCE: Final = 256


class FilesetIds:
    """Gives out fileset ids from blocks that it takes from the database, so that most uploads need not ask it."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._left = iter(range(0))
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return an id that was never given out."""
        with self._lock:
            number = next(self._left, None)
            if number is None:
                self._left = iter(self._commits.run(functools.partial(files.take_ids, count=_IDS_AT_ONCE)))
                number = next(self._left)
            return number
