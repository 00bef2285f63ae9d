"""Make the calls at which a disk says that it is full or broken, in one place where a test can let them fail."""

import os
from pathlib import Path


class Disk:
    """The disk of this machine. Each method raises OSError as the system does."""

    def write(self, descriptor: int, block: memoryview) -> int:
        """Write at the file's end; return how many bytes were taken."""
        return os.write(descriptor, block)

    def write_at(self, descriptor: int, block: memoryview, position: int) -> int:
        """Write elsewhere; return how many bytes were taken."""
        return os.pwrite(descriptor, block, position)

    def sync(self, descriptor: int) -> None:
        """Make a file's bytes durable."""
        os.fsync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
