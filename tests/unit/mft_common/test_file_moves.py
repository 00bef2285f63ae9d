"""A file of one version moved into another folder without a copy."""

import contextlib
import errno
import os
from pathlib import Path

import pytest

from mft_common.endpoints.errors import Changed, Exists, NotFound, Transient
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.system import System


class Disk(System):
    """A file system: `exclusive` and `links` are its answers to a rename to a free name and to a link."""

    def __init__(self, exclusive=None, links=None):
        self.before = lambda: None
        self.synced = []
        self._exclusive = exclusive
        self._links = links

    def rename_to_free(self, name, target, folder, target_folder):
        self.before()
        if self._exclusive is not None:
            raise OSError(self._exclusive, "no")
        super().rename_to_free(name, target, folder, target_folder)

    def link(self, name, target, folder, target_folder=None):
        if self._links is not None:
            raise OSError(self._links, "no")
        super().link(name, target, folder, target_folder)

    def sync(self, descriptor):
        self.synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        super().sync(descriptor)


@pytest.fixture
def folders(tmp_path):
    """Return a function that opens two folders, the first with a file, on a disk."""
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    (tmp_path / "from" / "a").write_bytes(b"first")
    with contextlib.ExitStack() as stack:

        def opened(disk):
            return [
                stack.enter_context(
                    FileEndpoint(Folder(os.open(tmp_path / name, os.O_RDONLY), system=disk), system=disk)
                )
                for name in ("from", "to")
            ]

        yield opened


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


WAYS = [Disk(), Disk(exclusive=errno.EINVAL), Disk(exclusive=errno.ENOSYS, links=errno.EPERM)]


@pytest.mark.parametrize("disk", WAYS, ids=["exclusive", "link", "plain"])
def test_a_file_is_moved_durably(folders, tmp_path, disk):
    """The file has its new name alone, and both folders are on the disk; the new one comes first."""
    source, target = folders(disk)
    assert source.rename_into(source.stat("a"), target, "b")
    assert (content(tmp_path / "from"), content(tmp_path / "to")) == ({}, {"b": b"first"})
    assert disk.synced == [str(tmp_path / "to"), str(tmp_path / "from")]


@pytest.mark.parametrize("ways", [{}, {"exclusive": errno.EINVAL}], ids=["exclusive", "link"])
def test_a_newer_file_keeps_its_name(folders, tmp_path, ways):
    """A file that took the name before the call, or in the moment of the rename, is not moved."""
    disk = Disk(**ways)
    source, target = folders(disk)
    entry = source.stat("a")

    def replace():
        disk.before = lambda: None
        (tmp_path / "new").write_bytes(b"newer")
        (tmp_path / "new").rename(tmp_path / "from" / "a")

    disk.before = replace
    with pytest.raises(Changed):
        source.rename_into(entry, target, "b")
    with pytest.raises(Changed):
        source.rename_into(entry, target, "b")
    assert (content(tmp_path / "from"), content(tmp_path / "to")) == ({"a": b"newer"}, {})


def test_of_three_files_none_is_lost(folders, tmp_path):
    """A newer file whose name yet another one takes while it is put back is kept under the new name, and told of."""
    disk = Disk()
    source, target = folders(disk)
    entry = source.stat("a")
    contents = iter((b"second", b"third"))

    def replace():
        (tmp_path / "new").write_bytes(next(contents))
        (tmp_path / "new").rename(tmp_path / "from" / "a")

    disk.before = replace
    with pytest.raises(Changed, match="a newer file is now b"):
        source.rename_into(entry, target, "b")
    assert (content(tmp_path / "from"), content(tmp_path / "to")) == ({"a": b"third"}, {"b": b"second"})


@pytest.mark.parametrize("disk", [Disk(), Disk(exclusive=errno.EINVAL)], ids=["exclusive", "link"])
def test_a_name_that_is_taken_is_not_replaced(folders, tmp_path, disk):
    """A file that is there, also one that comes in the moment of the rename, stays."""
    source, target = folders(disk)
    disk.before = lambda: (tmp_path / "to" / "b").write_bytes(b"other")
    for _ in range(2):
        with pytest.raises(Exists):
            source.rename_into(source.stat("a"), target, "b")
    assert (content(tmp_path / "from"), content(tmp_path / "to")) == ({"a": b"first"}, {"b": b"other"})


def test_another_file_system_is_told_from_an_error(folders, tmp_path):
    """Between two file systems the caller copies; a disk that fails is an error, and a missing file is not found."""
    source, target = folders(Disk(exclusive=errno.EXDEV))
    assert not source.rename_into(source.stat("a"), target, "b")
    failing, target = folders(Disk(exclusive=errno.EIO))
    with pytest.raises(Transient):
        failing.rename_into(failing.stat("a"), target, "b")
    entry = source.stat("a")
    (tmp_path / "from" / "a").unlink()
    with pytest.raises(NotFound):
        source.rename_into(entry, target, "b")
