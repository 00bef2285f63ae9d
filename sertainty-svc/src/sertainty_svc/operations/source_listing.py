"""List the source folder of tasks: one below a root of this machine, or one of the filestore (93, 107)."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mft_common.endpoints.errors import Denied, os_errors
from mft_common.endpoints.filestore import Filestore, FilestoreEndpoint
from mft_common.endpoints.folders import LocalFolder
from mft_common.watching import EndpointListing, Found, Listing, LocalListing
from sertainty_svc.domain.places import FILESTORE, LOCAL

Roots = Callable[[], Sequence[Path]]
_STATE: Final = "state"


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
        with os_errors(self._path):
            roots = self._roots()
            # A relative path lies below the first root; without one nothing can be reached.
            real = Path(*roots[:1], self._path).resolve(strict=bool(roots))
            for root in roots:
                base = root.resolve()
                if real.is_relative_to(base):
                    path = "" if real == base else str(real.relative_to(base))
                    return LocalFolder(base, path, self._state, self._path)
        raise Denied(f"{self._path}: the folder lies outside every root")
