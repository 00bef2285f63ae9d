"""List the source folder of tasks: one below a root of this machine, or one of the filestore (93, 107)."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mft_common.endpoints.errors import Denied, NotFound, of_os_error
from mft_common.endpoints.filestore import Filestore, FilestoreEndpoint
from mft_common.endpoints.folders import LocalFolder
from mft_common.watching import EndpointListing, Found, Listing, LocalListing
from sertainty_svc.domain.places import FILESTORE, LOCAL

_STATE: Final = "state"
_ROOTS_LAST_S: Final = 1.0


class Roots:
    """The configured roots without links; `read` reads them, and is asked again after a second."""

    def __init__(self, read: Callable[[], Sequence[Path]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._at: float | None = None
        self._roots: tuple[str, ...] = ()

    def current(self) -> tuple[str, ...]:
        """Return the roots."""
        with self._lock:
            now = time.monotonic()
            if self._at is None or now - self._at >= _ROOTS_LAST_S:
                self._roots = tuple(os.path.realpath(root) for root in self._read())
                self._at = now
            return self._roots


def listing_of(folder: str, roots: Roots, data: Path, filestore: Filestore | None) -> Listing:
    """Return the listing of a folder that `places.folder_of` named; `data` is the data folder."""
    if folder.startswith(FILESTORE):
        path = folder.removeprefix(FILESTORE)

        def connect() -> FilestoreEndpoint:
            if filestore is None:
                raise Denied(f"{folder}: this worker has no way to the filestore")
            return filestore.open(path)

        return EndpointListing(connect)
    return RootedListing(folder.removeprefix(LOCAL), roots, data)


class RootedListing:
    """A folder of this machine; each listing resolves the links in its path anew, and it must lie below a root then.

    Links within the folder are not followed. TransferError for a folder that is missing, or outside every root.
    """

    remote = False
    tells_changes = True
    complete = False
    root: str | None = None

    def __init__(self, path: str, roots: Roots, data: Path) -> None:
        self._path = path
        self._roots = roots
        self._state = data / _STATE
        self._listing: LocalListing | None = None

    def unchanged(self) -> bool:
        """Return whether no name has come or gone since the last listing."""
        return self._listing is not None and self._listing.unchanged()

    def files(self, *, depth: int | None) -> Iterator[Found]:
        """Yield the files of the folder that the path leads to now."""
        self.complete = False
        folder, listing = self._resolved(), self._listing
        if listing is None or listing.folder != folder:
            listing = self._listing = LocalListing(folder)
        try:
            yield from listing.files(depth=depth)
        finally:
            self.complete, self.root = listing.complete, listing.root

    def close(self) -> None:
        """Do nothing: each listing opens the folder anew."""

    def _resolved(self) -> LocalFolder:
        roots = self._roots.current()
        try:
            # A relative path lies below the first root; without one nothing can be reached.
            real = os.path.realpath(os.path.join(*roots[:1], self._path), strict=bool(roots))  # noqa: PTH118 -- ten times as fast
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"{self._path}: the folder does not exist") from error
        except OSError as error:
            raise of_os_error(error, self._path) from error
        for root in roots:
            if real == root or real.startswith(f"{root.rstrip('/')}/"):
                return LocalFolder(Path(root), real[len(root) :].strip("/"), self._state, self._path)
        raise Denied(f"{self._path}: the folder lies outside every root")
