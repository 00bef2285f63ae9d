"""Write one file of a folder so that it is whole and durable before it gets its final name."""

import contextlib
import errno
import hashlib
import stat
from collections.abc import Iterable
from dataclasses import replace
from os import stat_result

from mft_common.endpoints.errors import Exists, Mismatch, TargetIsFolder, os_errors
from mft_common.endpoints.names import temporary_name
from mft_common.endpoints.system import System
from mft_common.transfer.endpoint import BLOCK, IfExists, Stored, Verify

# The errors of link() on file systems without hard links.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


class FileWriter:
    """A file on its way in: temporary name, fsync, read back, rename (link where it may replace nothing), fsync."""

    def __init__(self, folder: int, name: str, *, token: str, size: int, if_exists: IfExists, system: System) -> None:
        self._folder = folder
        self._name = name
        self._temporary = temporary_name(name, token)
        self._if_exists = if_exists
        self._system = system
        self._descriptor: int | None = None
        self._made = False
        # Device and inode of the sealed file: a repeated commit recognises the file that the first one has named.
        self._identity: tuple[int, int] | None = None
        self._stored = Stored(size, "")
        self._committing = False

    def begin(self) -> None:
        """Make the temporary file; one that an earlier try of the same owner left is removed first."""
        with os_errors(self._name):
            self._target()
            with contextlib.suppress(FileNotFoundError):
                self._system.remove(self._temporary, self._folder)
            # Set before the call: a call that fails may have made the file nevertheless.
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

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Fsync, then compare size and, by reading the file back, checksum."""
        assert self._descriptor is not None
        with os_errors(self._name):
            self._system.sync(self._descriptor)
            status = self._system.status_of(self._descriptor)
            self._identity = (status.st_dev, status.st_ino)
            # On network file systems close() may report a failed write.
            descriptor, self._descriptor = self._descriptor, None
            self._system.close(descriptor)
        if status.st_size != size:
            raise Mismatch(f"{self._name}: {status.st_size} bytes arrived of {size}")
        if verify == "sha256" and self._digest() != sha256:
            raise Mismatch(f"{self._name}: the written bytes read back with another checksum")
        self._stored = Stored(size, sha256)
        return True

    def commit(self) -> Stored:
        """Give the file its final name in one step and make the name durable; may be called again after Transient."""
        with os_errors(self._name):
            if not self._has_its_name():
                self._stored = replace(self._stored, replaced=self._target() is not None)
                self._rename()
            self._system.sync(self._folder)
            if self._made:
                # The file is delivered; a temporary name that cannot be removed now is left to the sweep.
                with contextlib.suppress(OSError):
                    self._remove_temporary()
        return self._stored

    def abort(self) -> Stored | None:
        """Remove the temporary name; a file that has its final name already is committed instead."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            # The file is removed next: an error of its close does not matter.
            with contextlib.suppress(OSError):
                self._system.close(descriptor)
        with os_errors(self._name):
            if self._has_its_name():
                return self.commit()
            if self._made:
                self._remove_temporary()
        return None

    def _target(self) -> stat_result | None:
        """Return the status of the final name, None where it is free; raise where it must not be replaced."""
        try:
            status = self._system.status(self._name, self._folder)
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(status.st_mode):
            raise TargetIsFolder(f"{self._name}: is a folder")
        if self._if_exists == "fail":
            raise Exists(f"{self._name}: exists already")
        return status

    def _has_its_name(self) -> bool:
        """Return whether an earlier call of `commit` has given this file its final name, whatever that call raised."""
        if not self._committing or self._identity is None:
            return False
        try:
            status = self._system.status(self._name, self._folder)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def _rename(self) -> None:
        self._committing = True
        if self._if_exists == "replace":
            self._system.rename(self._temporary, self._name, self._folder)
            self._made = False
            return
        # A link fails when the name is taken, which a rename would not; the temporary name is removed after it.
        try:
            self._system.link(self._temporary, self._name, self._folder)
        except OSError as error:
            if error.errno in _NO_LINKS:
                # No hard links here: the name was free a moment ago, and a file that came since is replaced whole.
                self._system.rename(self._temporary, self._name, self._folder)
                self._made = False
            elif not self._has_its_name():
                raise
            # Otherwise the link exists: a network file system may carry out a call and lose its answer.

    def _remove_temporary(self) -> None:
        with contextlib.suppress(FileNotFoundError):
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
