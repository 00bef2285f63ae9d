"""Declare what a watch is, what a scan finds, and how a folder is listed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import sqlalchemy as sa

from mft_common.endpoints.names import Patterns
from mft_common.errors import MftError


class Later(MftError):  # noqa: N818 -- the name of a condition
    """A watch can take no more files for now: they are handed over again after the next scan.

    With `pause`, in seconds, they wait that long, or until the folder is woken.
    """

    def __init__(self, reason: str, *, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


# Names under which other programs write files that are not complete; the hub's own never match any pattern.
TEMPORARY: Final = Patterns(("*.part", "*.filepart"))
_EVERY: Final = Patterns(("*",))
_NONE: Final = Patterns(())


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a folder: its path below it, and what tells this appearance of the name from any other.

    `identity` is the inode (or the far side's version), size and modification time. `size` is in bytes, `modified_at`
    in milliseconds; None for unknown. Bytes of a name that are not UTF-8 are surrogates, as in `Entry`.
    """

    path: str
    identity: str
    size: int | None
    modified_at: int | None

    @property
    def name(self) -> str:
        """The last step of the path."""
        return self.path.rpartition("/")[2]


def _always() -> bool:
    return True


def _any(_found: Found) -> bool:
    return True


def _no_lock(_connection: sa.Connection) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Work that the files of a folder begin.

    `handle(connection, files)` is called for at most `batch` files at a time, in the transaction that remembers them.
    Where it raises, that transaction is rolled back and it is called again with fewer of the same files, so that the
    others go on; a single file that fails is tried again later, each time after a longer pause. Where it raises Later,
    the files of this scan wait for the next one.
    `folder` names the folder; watches of one folder share its scan. `depth` is the number of levels of folders below
    it that belong to it, None for all. A file is taken when its identity has been the same for `settle` seconds by this
    machine's clock and for `looks` scans. `interval` is the pause between scans in seconds; a folder that shows no
    change by its modification time is listed every `relist` seconds. While `is_open()` is False nothing is taken and
    files wait. `wanted(found)` excludes files by more than their names. `failed(connection, error)` is called for a
    scan that could not be made, in a transaction of the watch's own. `lock(connection)` comes first in the transactions
    of both: it locks the rows that others lock before they change the watch, so that two transactions never wait for
    each other, and may raise Later. `name` is what the log calls it.

    With `vacancy` no file is handed over: `handle` is called without files once no file matches, and again after a
    file that matched has gone.
    """

    key: str
    folder: str
    handle: Callable[[sa.Connection, Sequence[Found]], None]
    patterns: Patterns = _EVERY
    exclude: Patterns = _NONE
    temporary: Patterns = TEMPORARY
    depth: int | None = 0
    settle: float = 1.0
    looks: int = 2
    interval: float = 1.0
    relist: float = 10.0
    batch: int = 1000
    vacancy: bool = False
    is_open: Callable[[], bool] = _always
    wanted: Callable[[Found], bool] = _any
    failed: Callable[[sa.Connection, Exception], None] | None = None
    lock: Callable[[sa.Connection], None] = _no_lock
    name: str = ""

    @property
    def shown(self) -> str:
        """The name by which the log shows the watch: its own, else the key."""
        return self.name or self.key

    def matches(self, found: Found) -> bool:
        """Return whether a file of the folder is one that this watch takes."""
        folder, _, name = found.path.rpartition("/")
        if self.depth is not None and folder and folder.count("/") >= self.depth:
            return False
        named = self.patterns.match(name) and not self.exclude.match(name) and not self.temporary.match(name)
        return named and self.wanted(found)


class Listing(Protocol):
    """The files of one folder, listed again and again by one thread at a time."""

    # Whether a listing may take long, so that it must not hold up those of other folders.
    remote: bool
    # Whether `unchanged` can return True.
    tells_changes: bool
    # Whether the last listing saw every folder, so that a name that was not in it is gone.
    complete: bool
    # The folder that the last listing read, as its file system names it; None where that is not known.
    root: str | None

    def unchanged(self) -> bool:
        """Return True where no name has come or gone since the last listing; False where that is not known."""
        ...

    def files(self, *, depth: int | None) -> Iterator[Found]:
        """Yield the regular files, also those of `depth` levels of folders below, None for all; TransferError."""
        ...

    def close(self) -> None:
        """Close what the listing keeps open."""
        ...
