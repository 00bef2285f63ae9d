"""Store the bytes of a resumable upload: the interface, and the growing file of a folder."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from filestore_svc.store.disk import Disk

_BLOCK: Final = 1 << 20

Check = Callable[[], None]
Watch = Callable[[bytes], object]


class Digested(NamedTuple):
    """The SHA-256 of the first `size` bytes of an upload."""

    size: int
    sha256: Any


class Partial(Protocol):
    """The open bytes of a resumable upload."""

    def append(self, block: memoryview | bytes, /) -> None:
        """Write the next bytes."""
        ...

    def sync(self) -> Sequence[str]:
        """Make the written bytes durable; return the names of the objects made since the last call."""
        ...

    def close(self) -> None:
        """Close it; bytes that were not made durable may be lost."""
        ...


class LocalPartial:
    """A file of the folder `partial`. Bytes beyond those that were made durable are overwritten."""

    def __init__(self, path: Path, offset: int, check: Check, disk: Disk) -> None:
        self._path = path
        self._position = offset
        self._check = check
        self._disk = disk
        self._new = not offset
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if self._new else 0)
        self._descriptor = os.open(path, flags, 0o600)

    def append(self, block: memoryview | bytes, /) -> None:
        """Write, unless another request has taken over; the lock lets none take over between check and write."""
        with _locked(self._descriptor):
            self._check()
            rest = memoryview(block)
            while rest:
                written = self._disk.write_at(self._descriptor, rest, self._position)
                self._position += written
                rest = rest[written:]

    def sync(self) -> Sequence[str]:
        """Fsync the file, and its folder where the file is new."""
        self._disk.sync(self._descriptor)
        if self._new:
            self._disk.sync_folder(self._path.parent)
            self._new = False
        return ()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class LocalWhole:
    """A complete file of the folder `partial`, staged under the id of its blob."""

    md5 = None

    def __init__(self, path: Path, fileset: int, size: int, digested: Digested, watch: Watch | None) -> None:
        self.path = path
        self.fileset = fileset
        self.size = size
        # An empty upload received no piece, and has no file yet.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if size else os.O_CREAT), 0o600)
        try:
            with _locked(self.descriptor):
                self._check_size()
                self.sha256 = digested.sha256
                self._read(0 if watch is not None else digested.size, digested.size, watch)
        except BaseException:
            self.discard()
            raise

    def write(self, block: memoryview | bytes, /) -> object:
        """Refuse: the content is complete."""
        raise OSError(f"{len(block)} bytes more than there are")

    def finish(self) -> None:
        """Do nothing: every byte is digested."""

    def name(self, target: str) -> None:
        """Give the file its final name beside its own; the own one is removed when the upload is dropped."""
        os.link(self.path, target)

    def discard(self) -> None:
        """Close the file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _check_size(self) -> None:
        if os.fstat(self.descriptor).st_size != self.size:
            raise OSError(f"an upload of {self.size} bytes has another size on disk")

    def _read(self, position: int, digested: int, watch: Watch | None) -> None:
        """Digest the bytes behind the first `digested` ones, and show all from `position` on to `watch`."""
        # A block ends where the known digest ends.
        while block := os.pread(self.descriptor, min(_BLOCK, max(digested - position, 0) or _BLOCK), position):
            if position >= digested:
                self.sha256.update(block)
            if watch is not None:
                watch(block)
            position += len(block)


@contextlib.contextmanager
def _locked(descriptor: int) -> Any:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
