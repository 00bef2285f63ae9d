"""Write one file of a folder so that it is whole and durable before it has its name."""

import contextlib
import errno
import hashlib
import stat
from collections.abc import Iterable

from mft_common.transfer.endpoint import BLOCK, IfExists, Stored, Verify
from mft_common.transfer.errors import Exists, Mismatch, TargetIsFolder, os_errors
from mft_common.transfer.names import temporary_name
from mft_common.transfer.system import System

# What file systems without hard links answer to link().
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


class FileWriter:
    """A file on its way: temporary name, fsync, read back, rename (or link, where it may replace nothing), fsync."""

    def __init__(self, folder: int, name: str, *, token: str, size: int, if_exists: IfExists, system: System) -> None:
        self._folder = folder
        self._name = name
        self._temporary = temporary_name(name, token)
        self._if_exists = if_exists
        self._system = system
        self._descriptor: int | None = None
        self._made = False
        self._stored = Stored(size, "")

    def begin(self) -> None:
        """Make the temporary file; one that an earlier try of the same owner left is removed first."""
        with os_errors(self._name):
            self._look()
            with contextlib.suppress(FileNotFoundError):
                self._system.remove(self._temporary, self._folder)
            # Noted first: a call that fails may have done its work all the same.
            self._made = True
            self._descriptor = self._system.create(self._temporary, self._folder)

    def fill(self, blocks: Iterable[bytes]) -> None:
        """Write all blocks."""
        assert self._descriptor is not None
        for block in blocks:
            rest = memoryview(block)
            with os_errors(self._name):
                while rest:
                    rest = rest[self._system.write(self._descriptor, rest) :]

    def seal(self, size: int, sha256: str, verify: Verify) -> None:
        """Fsync, then compare size and, by reading the file back, checksum."""
        assert self._descriptor is not None
        with os_errors(self._name):
            self._system.sync(self._descriptor)
            found = self._system.status_of(self._descriptor).st_size
            # A close can bring the news of a failed write, on network file systems.
            descriptor, self._descriptor = self._descriptor, None
            self._system.close(descriptor)
        if found != size:
            raise Mismatch(f"{self._name}: {found} bytes arrived of {size}")
        if verify == "sha256" and self._digest() != sha256:
            raise Mismatch(f"{self._name}: what was written reads back with another checksum")
        self._stored = Stored(size, sha256)

    def commit(self) -> Stored:
        """Give the file its name in one step and make the name durable."""
        with os_errors(self._name):
            replaced = self._look()
            if self._if_exists == "fail":
                self._place()
            else:
                self._system.rename(self._temporary, self._name, self._folder)
                self._made = False
                self._system.sync(self._folder)
        return Stored(self._stored.size, self._stored.sha256, "", replaced)

    def abort(self) -> None:
        """Remove the temporary file."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            # What a close has to say about a file that is removed next is of no use to anyone.
            with contextlib.suppress(OSError):
                self._system.close(descriptor)
        if self._made:
            with os_errors(self._name), contextlib.suppress(FileNotFoundError):
                self._system.remove(self._temporary, self._folder)
            self._made = False

    def _look(self) -> bool:
        """Return whether the final name is taken; raise where that forbids to go on."""
        try:
            status = self._system.status(self._name, self._folder)
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(status.st_mode):
            raise TargetIsFolder(f"{self._name}: is a folder")
        if self._if_exists == "fail":
            raise Exists(f"{self._name}: exists already")
        return True

    def _place(self) -> None:
        # A link fails when the name is taken, which a rename would not; the temporary name goes after it.
        try:
            self._system.link(self._temporary, self._name, self._folder)
        except OSError as error:
            if error.errno in _NO_LINKS:
                # No hard links here: `commit` has just looked, and what comes in between is replaced, not mixed.
                self._system.rename(self._temporary, self._name, self._folder)
                self._made = False
            elif self._system.status(self._temporary, self._folder).st_nlink == 1:
                raise
            # Else the file has its second name: a network file system may do the work and lose the answer.
        try:
            self._system.sync(self._folder)
        except OSError:
            # It may not last, so it is taken back: a second try would find its own file in the way.
            self._system.remove(self._name, self._folder)
            raise
        if self._made:
            # The file is delivered; a second name that cannot go now is left to the sweep.
            with contextlib.suppress(OSError):
                self._system.remove(self._temporary, self._folder)
                self._made = False

    def _digest(self) -> str:
        digest = hashlib.sha256()
        with os_errors(self._name):
            descriptor = self._system.open_read(self._temporary, self._folder)
            try:
                while block := self._system.read(descriptor, BLOCK):
                    digest.update(block)
            finally:
                self._system.close(descriptor)
        return digest.hexdigest()
