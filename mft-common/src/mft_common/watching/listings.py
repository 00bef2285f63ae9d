"""List a folder of this machine by scandir, and any other endpoint by its own listing."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from mft_common.endpoints.contract import Endpoint
from mft_common.endpoints.errors import NotFound, TransferError, os_errors
from mft_common.endpoints.folders import Folder, LocalFolder
from mft_common.endpoints.names import Patterns
from mft_common.watching.contract import Found

_EVERY: Final = Patterns(("*",))
# A folder that changed within this time before its listing may change again without a new modification time.
_RECENT_NS: Final = 2_000_000_000


def unmodified(times: Iterable[tuple[str, int]]) -> bool:
    """Return whether folders of this machine have these modification times, in nanoseconds."""
    try:
        return all(os.stat(path).st_mtime_ns == modified for path, modified in times)  # noqa: PTH116 -- five times as fast
    except OSError:
        return False


class LocalListing:
    """A folder of this machine. Links are not followed, and special files are passed over.

    `times` are the folders of the last listing with their modification times; None while these cannot be relied on.
    """

    remote = False
    tells_changes = True

    def __init__(self, folder: LocalFolder) -> None:
        self.folder = folder
        self._path = os.fspath(folder.root / folder.path)
        self.times: list[tuple[str, int]] | None = None
        self.complete = False
        self.root: str | None = None

    def unchanged(self) -> bool:
        """Return whether each folder of the last listing has the modification time of that listing."""
        return self.times is not None and unmodified(self.times)

    def files(self, *, depth: int | None) -> Iterator[Found]:
        """Yield the regular files in the order of the file system; a file that vanishes meanwhile is left out."""
        self.times = None
        self.complete = True
        modified: list[tuple[str, int]] = []
        root = self.folder.open()
        try:
            status = os.fstat(root.descriptor)
            self.root = f"{status.st_dev}:{status.st_ino}"
            waiting = [""]
            while waiting:
                folder = waiting.pop()
                try:
                    below = depth is None or _level(folder) < depth
                    yield from self._files(root, folder, waiting if below else None, modified)
                except TransferError as error:
                    if not folder:
                        raise
                    # A folder that vanished holds no files; one that cannot be read may.
                    self.complete = self.complete and isinstance(error, NotFound)
            if not os.fstat(root.descriptor).st_nlink:
                raise NotFound(f"{self.folder.shown}: the folder was removed while it was listed")
        finally:
            root.close()
        now = time.time_ns()
        if all(abs(now - at) > _RECENT_NS for _, at in modified):
            self.times = modified

    def close(self) -> None:
        """Do nothing: each listing opens the folder anew."""

    def _files(
        self, root: Folder, folder: str, waiting: list[str] | None, modified: list[tuple[str, int]]
    ) -> Iterator[Found]:
        prefix = f"{folder}/" if folder else ""
        shown = folder or self.folder.shown
        with root.opened(folder) as descriptor, os_errors(shown):
            modified.append((f"{self._path}/{folder}", os.fstat(descriptor).st_mtime_ns))
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        try:
                            status = entry.stat(follow_symlinks=False)
                        except FileNotFoundError:
                            continue
                        identity = f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
                        yield Found(prefix + entry.name, identity, status.st_size, status.st_mtime_ns // 1_000_000)
                    elif waiting is not None and entry.is_dir(follow_symlinks=False):
                        waiting.append(prefix + entry.name)


def _level(folder: str) -> int:
    """Return how many levels a folder is below the root, which is ""."""
    return folder.count("/") + 1 if folder else 0


class EndpointListing:
    """Any other endpoint; it is opened for each listing, so that no connection is kept between them.

    Where the far side gives neither a version nor a time, a file that is replaced by one of the same size is the same.
    """

    remote = True
    tells_changes = False

    def __init__(self, connect: Callable[[], Endpoint]) -> None:
        self._connect = connect
        self.complete = False
        self.root: str | None = None

    def unchanged(self) -> bool:
        """Return False: only a listing tells."""
        return False

    def files(self, *, depth: int | None) -> Iterator[Found]:
        """Yield the files of the endpoint's own listing, which reaches down to every folder or to none below."""
        self.complete = True
        recursive = depth != 0

        def skipped(_path: str, _why: str) -> None:
            # What was passed over may have been a folder with its files.
            self.complete = not recursive

        with self._connect() as endpoint:
            for entry in endpoint.list(_EVERY, recursive=recursive, skipped=skipped):
                if depth is not None and _level(entry.path.rpartition("/")[0]) > depth:
                    continue
                identity = entry.version or f"{entry.size}:{entry.modified_at}"
                yield Found(entry.path, identity, entry.size, entry.modified_at)

    def close(self) -> None:
        """Do nothing: no connection is kept."""
