"""Wrap the system calls that fail on a full or broken disk, so that tests can let each of them fail."""

import os
from pathlib import Path

from mft_common.page_cache import WRITE_AT_ONCE
from mft_common.process import blocking


class Disk:
    """The disk of this machine. Each method raises OSError as the system does."""

    def write(self, descriptor: int, block: memoryview) -> int:
        """Write at the file's end; return how many bytes were written."""
        return os.write(descriptor, block[:WRITE_AT_ONCE])

    def write_all(self, descriptor: int, block: memoryview | bytes) -> None:
        """Write all of a block at the file's end."""
        rest = memoryview(block)
        while rest:
            rest = rest[self.write(descriptor, rest) :]

    def write_at(self, descriptor: int, block: memoryview, position: int) -> int:
        """Write at a position; return how many bytes were written."""
        return os.pwrite(descriptor, block[:WRITE_AT_ONCE], position)

    def free(self, folder: Path) -> int | None:
        """Return how many bytes this process may still write below a folder; None where its file system does not tell.

        Blocks that are reserved for root count for root alone.
        """
        found = os.statvfs(folder)
        blocks = found.f_bfree if os.geteuid() == 0 else found.f_bavail
        return blocks * found.f_frsize if found.f_blocks else None

    def sync(self, descriptor: int) -> None:
        """Make a file's bytes durable."""
        blocking.note()
        os.fsync(descriptor)

    def sync_folder(self, folder: Path | str) -> None:
        """Make the names in a folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
