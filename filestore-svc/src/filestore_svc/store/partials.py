"""Keep what has come of an upload in pieces: the interface, and the file that grows in a folder."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from filestore_svc.store.disk import Disk

_BLOCK: Final = 1 << 20

Check = Callable[[], None]
Watch = Callable[[bytes], object]


class Partial(Protocol):
    """An upload in pieces that is open for more."""

    def append(self, block: memoryview | bytes, /) -> None:
        """Take the next bytes."""
        ...

    def sync(self) -> Sequence[str]:
        """Make durable what was taken; return the names of the pieces that are new since the last time."""
        ...

    def close(self) -> None:
        """Let go of it; what was not made durable may be lost."""
        ...


class LocalPartial:
    """A file of the folder `partial`. What follows the bytes that were made durable is written over."""

    def __init__(self, path: Path, offset: int, check: Check, disk: Disk) -> None:
        self._path = path
        self._position = offset
        self._check = check
        self._disk = disk
        self._new = not offset
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if self._new else 0)
        self._descriptor = os.open(path, flags, 0o600)

    def append(self, block: memoryview | bytes, /) -> None:
        """Write, unless another request has taken over: the lock keeps it from doing so between look and write."""
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
    """A file of the folder `partial` to which nothing is to come any more."""

    md5 = None

    def __init__(self, path: Path, fileset: int, size: int, sha256: Any | None, watch: Watch | None) -> None:
        self.path = path
        self.fileset = fileset
        self.size = size
        # A file without any byte got no piece, and therefore no file.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if size else os.O_CREAT), 0o600)
        try:
            with _locked(self.descriptor):
                self._check_size()
                self.sha256 = sha256 or hashlib.sha256()
                if sha256 is None or watch is not None:
                    self._read(None if sha256 is not None else self.sha256, watch)
        except BaseException:
            self.discard()
            raise

    def write(self, block: memoryview | bytes, /) -> object:
        """Refuse: all is there."""
        raise OSError(f"{len(block)} bytes more than there are")

    def finish(self) -> None:
        """Nothing is left to do."""

    def name(self, target: str) -> None:
        """Give the file a second name, its name for good; the first goes when the upload is dropped."""
        os.link(self.path, target)

    def discard(self) -> None:
        """Close the file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _check_size(self) -> None:
        if os.fstat(self.descriptor).st_size != self.size:
            raise OSError(f"an upload of {self.size} bytes has another size on disk")

    def _read(self, sha256: Any | None, watch: Watch | None) -> None:
        position = 0
        while block := os.pread(self.descriptor, _BLOCK, position):
            position += len(block)
            if sha256 is not None:
                sha256.update(block)
            if watch is not None:
                watch(block)


@contextlib.contextmanager
def _locked(descriptor: int) -> Any:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
