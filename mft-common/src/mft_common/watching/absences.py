"""Decide when a remembered name that is not in its folder any more is forgotten.

One listing without a name proves little: a mount that is away leaves an empty folder, and an endpoint may answer with
nothing for a while. A name that is forgotten too early is handled again when it is back.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

# A name is forgotten after this many listings without it, over this time.
_LISTINGS: Final = 3
_PATIENCE_S: Final = 60.0
# The time where the folder may be another one than that of the remembered files.
_DOUBTFUL_S: Final = 3600.0


@dataclass(slots=True)
class _Absence:
    since: float
    listings: int


class Absences:
    """The remembered names of one folder that its last listings did not show, and the folder where they were seen.

    Times are those of the scan's clock, in seconds.
    """

    def __init__(self) -> None:
        self._absent: dict[bytes, _Absence] = {}
        self._home: str | None = None
        self._root: str | None = None
        self._root_since = 0.0

    def __bool__(self) -> bool:
        return bool(self._absent)

    def note(self, known: Collection[bytes], present: Collection[bytes], root: str | None, at: float) -> set[bytes]:
        """Note a complete listing of the folder `root`; return the names of `known` that may be forgotten now.

        The folder is in doubt where nothing is in one that is not known by its file system, or where the file system
        shows another folder than the one in which most of the remembered files were.
        """
        gone = set(known).difference(present)
        if root != self._root:
            self._root, self._root_since = root, at
        if 2 * len(gone) <= len(known) or at - self._root_since >= _DOUBTFUL_S:
            self._home = root
        sure = root == self._home if root is not None else bool(present)
        patience = _PATIENCE_S if sure else _DOUBTFUL_S
        former, self._absent = self._absent, {}
        over = set()
        for name in gone:
            absence = former.get(name) or _Absence(at, 0)
            absence.listings += 1
            if absence.listings >= _LISTINGS and at - absence.since >= patience:
                over.add(name)
            else:
                self._absent[name] = absence
        return over
