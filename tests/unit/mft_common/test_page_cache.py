"""Large blocks go to a file's pages in small calls, and all of them arrive."""

import os

import pytest

from filestore_svc.store.disk import Disk
from mft_common.endpoints.system import System
from mft_common.page_cache import WRITE_AT_ONCE
from mft_common.transfer.steps.private_files import write_all

BLOCK = os.urandom(3 * WRITE_AT_ONCE + 1)


def system_writes(file):
    """Write as the file endpoint does."""
    rest = memoryview(BLOCK)
    while rest:
        rest = rest[System().write(file.fileno(), rest) :]


def disk_writes(file):
    """Write as filestore-svc does at a file's end."""
    Disk().write_all(file.fileno(), BLOCK)


def disk_writes_at(file):
    """Write as filestore-svc does at a position."""
    rest, position = memoryview(BLOCK), 0
    while rest:
        count = Disk().write_at(file.fileno(), rest, position)
        rest, position = rest[count:], position + count


def private_writes(file):
    """Write as steps do to files without a name."""
    write_all(file, BLOCK)


class Counted:
    """A file that keeps the sizes of the calls which write to it."""

    def __init__(self, file):
        self._file = file
        self.sizes = []

    def fileno(self):
        """Return the file's descriptor."""
        return self._file.fileno()

    def write(self, block):
        """Write, and keep the size."""
        self.sizes.append(len(block))
        return self._file.write(block)


@pytest.mark.parametrize("write", [system_writes, disk_writes, disk_writes_at, private_writes])
def test_a_block_is_written_in_calls_of_128_kib(write, tmp_path, monkeypatch):
    """No call gives more to the kernel, and the file has all bytes in order."""
    with (tmp_path / "file").open("wb", buffering=0) as file:
        counted = Counted(file)
        for name in ("write", "pwrite"):
            call = getattr(os, name)

            def count(descriptor, block, *place, call=call):
                counted.sizes.append(len(block))
                return call(descriptor, block, *place)

            monkeypatch.setattr(os, name, count)
        write(counted)
        monkeypatch.undo()
    assert max(counted.sizes) == WRITE_AT_ONCE
    assert (tmp_path / "file").read_bytes() == BLOCK
