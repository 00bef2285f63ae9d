"""Store contents as files of a local or shared folder."""

import contextlib
import fcntl
import functools
import hashlib
import io
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from filestore_svc.store.background_writer import BackgroundWriter
from filestore_svc.store.blobs import PAGE
from filestore_svc.store.call_combiner import CallCombiner, Take
from filestore_svc.store.disk import Disk
from filestore_svc.store.partials import Check, Digested, LocalPartial, LocalWhole, Watch
from mft_common import logs

_FOLDER_BITS = 12
# Uploads of up to 64 KiB stay in memory; up to 2 MiB they are digested in the thread that receives them.
_HELD = 64 << 10
_INLINE = 2 << 20
_FOLDERS_AT_WORK = 16
_NAMES_AT_ONCE = 1024


class LocalStaging:
    """The bytes of an upload: a small one in memory, a larger one in a file of the staging folder.

    The file is locked as long as its upload lives. A large upload is written and digested in a second thread.
    """

    def __init__(self, folder: str, fileset: int, *, md5: bool, disk: Disk) -> None:
        self.fileset = fileset
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        # The blocks of a small upload, None once they are in a file.
        self.held: list[memoryview | bytes] | None = []
        self.descriptor = -1
        self._folder = folder
        self._path = ""
        self._disk = disk
        self._background: BackgroundWriter | None = None

    def write(self, block: memoryview | bytes, /) -> None:
        """Write and digest the next bytes; the caller must not change `block` afterwards."""
        self.size += len(block)
        if self.held is not None and self.size > _HELD:
            self.spill()
        if self._background is None and self.size > _INLINE:
            self._background = BackgroundWriter(self._take)
        if self._background is None:
            self._take(block)
        else:
            self._background.put(block)

    def _take(self, block: memoryview | bytes) -> None:
        self.sha256.update(block)
        if self.md5 is not None:
            self.md5.update(block)
        if self.held is None:
            self._disk.write_all(self.descriptor, block)
        else:
            self.held.append(block)

    def spill(self) -> None:
        """Move the blocks from memory into a file of the staging folder; later blocks follow them there."""
        held, self.held = self.held or (), None
        self._open()
        for block in held:
            self._disk.write_all(self.descriptor, block)

    def _open(self) -> None:
        while True:
            self._path = f"{self._folder}/{secrets.token_hex(16)}"
            self.descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            # The sweeper unlinks a file that it finds between its creation and its locking.
            if os.fstat(self.descriptor).st_nlink:
                return
            os.close(self.descriptor)
            self.descriptor = -1

    def finish(self) -> None:
        """Wait for the second thread."""
        if self._background is not None:
            self._background.finish()

    def name(self, target: str) -> None:
        """Give the file its final name; the same call removes it from the staging folder."""
        os.rename(self._path, target)  # noqa: PTH104 -- a path object would cost more than the call
        self._path = ""

    def discard(self) -> None:
        """Remove the file unless it has its final name, and release its lock."""
        if self._background is not None:
            self._background.stop()
        if self._path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)  # noqa: PTH108 -- as above
            self._path = ""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class LocalBlobs:
    """Contents as files: `blobs/<high>/<middle>/<fileset>`, 4,096 to a folder; `staging/`, `partial/` beside them."""

    outlives_removal = True

    def __init__(self, folder: Path, disk: Disk | None = None, *, page: int = PAGE) -> None:
        self._page = page
        self._blobs = folder / "blobs"
        self._names = str(self._blobs)
        self._staging = folder / "staging"
        self._staged = str(self._staging)
        self._partial = folder / "partial"
        self._disk = disk or Disk()
        for made in (self._blobs, self._staging, self._partial):
            made.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._disk.sync_folder(folder)
        self._syncing = functools.lru_cache(_FOLDERS_AT_WORK)(self._sync_of)

    def _sync_of(self, folder: str) -> CallCombiner[None]:
        """Return a combiner that fsyncs a folder once for all names that were created by then."""

        def sync(take: Take[None]) -> None:
            take()
            self._disk.sync_folder(folder)

        return CallCombiner(sync, _NAMES_AT_ONCE)

    def stage(self, fileset: int, *, md5: bool = False) -> LocalStaging:
        """Begin an upload in memory."""
        return LocalStaging(self._staged, fileset, md5=md5, disk=self._disk)

    def keep(self, staging: LocalStaging | LocalWhole) -> None:
        """Fsync the bytes, give them their name, fsync the folder."""
        target = self._name(staging.fileset)
        folder = target[: target.rindex("/")]
        if not isinstance(staging, LocalStaging) or staging.held is None or not self._made(target, staging.held):
            self._moved(staging, target)
        self._syncing(folder).join(None)
        staging.discard()

    def _made(self, target: str, held: Iterable[memoryview | bytes]) -> bool:
        """Create a small file under its final name: no reader looks for an id that has no row.

        Return False where the name exists: a database that was restored from a backup gives out its ids again.
        """
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        try:
            descriptor = os.open(target, flags, 0o600)
        except FileNotFoundError:
            self._make(Path(target).parent)
            descriptor = os.open(target, flags, 0o600)
        except FileExistsError:
            return False
        try:
            for block in held:
                self._disk.write_all(descriptor, block)
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)
        return True

    def _moved(self, staging: LocalStaging | LocalWhole, target: str) -> None:
        if isinstance(staging, LocalStaging) and staging.held is not None:
            staging.spill()
        self._disk.sync(staging.descriptor)
        try:
            staging.name(target)
        except FileNotFoundError:
            self._make(Path(target).parent)
            staging.name(target)

    def resume(self, upload: str, offset: int, check: Check, pieces: Sequence[str]) -> LocalPartial:
        """Open the one file that holds all of the upload."""
        del pieces
        return LocalPartial(self._partial / upload, offset, check, self._disk)

    def whole(
        self, upload: str, fileset: int, size: int, pieces: Sequence[str], *, digested: Digested, watch: Watch | None
    ) -> LocalWhole:
        """Stage the file as it is, which has no `pieces`; it stays in its folder until it is dropped."""
        del pieces
        return LocalWhole(self._partial / upload, fileset, size, digested, watch)

    def drop(self, upload: str) -> None:
        """Unlink the file of the upload."""
        (self._partial / upload).unlink(missing_ok=True)

    def partials_older_than(self, age: float) -> list[str]:
        """Compare the time of the last write."""
        limit = time.time() - age
        found: list[str] = []
        with os.scandir(self._partial) as entries:
            for entry in entries:
                # An upload may end meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat().st_mtime < limit:
                        found.append(entry.name)
        return found

    def open(self, fileset: int) -> io.FileIO:
        """Open a blob, unbuffered."""
        return io.FileIO(self._name(fileset), "r")

    def remove(self, fileset: int) -> None:
        """Unlink a blob."""
        self._path(fileset).unlink(missing_ok=True)

    def page(self, after: str, age: float) -> tuple[list[int], str]:
        """Read as many folders as hold a page; the cursor is the name of the last one."""
        limit = time.time() - age
        ids: list[int] = []
        count = 0
        for folder in self._folders(after):
            with os.scandir(self._blobs / folder) as entries:
                for entry in entries:
                    count += 1
                    # A blob that is deleted meanwhile has no time any more.
                    with contextlib.suppress(FileNotFoundError):
                        if entry.name.isdecimal() and entry.stat().st_ctime < limit:
                            ids.append(int(entry.name))
            if count >= self._page:
                return ids, folder
        return ids, ""

    def stored_at(self, fileset: int) -> float:
        """Return the time of the last change of the file or its name."""
        return self._path(fileset).stat().st_ctime

    def _folders(self, after: str) -> Iterator[str]:
        high, _, _ = after.partition("/")
        for outer in _subfolders(self._blobs):
            if outer >= high:
                inner = _subfolders(self._blobs / outer)
                yield from (folder for folder in (f"{outer}/{name}" for name in inner) if folder > after)

    def clear_staging(self, age: float | None) -> int:
        """Unlink what is old enough, or what no living process has locked."""
        return sum(self._cleared(path, age) for path in self._staging.iterdir())

    @staticmethod
    def _cleared(path: Path, age: float | None) -> bool:
        try:
            if age is None:
                _unlink_unlocked(path)
            elif time.time() - path.stat().st_mtime < age:
                return False
            else:
                path.unlink()
        except (FileNotFoundError, BlockingIOError):
            return False
        except OSError as error:
            logs.get("sweeping").warning("staging.undeletable", name=path.name, error=repr(error))
            return False
        return True

    def ping(self) -> None:
        """Check that the staging folder is writable."""
        if not os.access(self._staging, os.W_OK | os.X_OK):
            raise PermissionError(f"{self._staging} cannot be written to")

    def free(self) -> int | None:
        """Return what the file system tells."""
        return self._disk.free(self._staging)

    def _name(self, fileset: int) -> str:
        middle = (fileset >> _FOLDER_BITS) & ((1 << _FOLDER_BITS) - 1)
        return f"{self._names}/{fileset >> 2 * _FOLDER_BITS:x}/{middle:03x}/{fileset}"

    def _path(self, fileset: int) -> Path:
        return Path(self._name(fileset))

    def _make(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._disk.sync_folder(folder.parent)
        self._disk.sync_folder(self._blobs)


def _subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir())


def _unlink_unlocked(path: Path) -> None:
    """Unlink a file under its lock; BlockingIOError where a living process holds it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)
