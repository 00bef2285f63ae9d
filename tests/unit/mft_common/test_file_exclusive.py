"""A file that may replace none, on file systems with and without hard links and exclusive renames."""

import errno
import hashlib
import os

import pytest

from mft_common.endpoints.errors import Exists
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.system import System

TOKEN = "0000000000000042"


class Busy(System):
    """A file system on which another program takes the name in the moment in which ours is to get it."""

    def __init__(self, folder, *, comes=True):
        self._folder = folder
        self._comes = comes

    def come(self):
        if self._comes:
            (self._folder / "f").write_bytes(b"theirs")

    def rename_to_free(self, *arguments):
        self.come()
        super().rename_to_free(*arguments)


class Linking(Busy):
    """The same where a rename always replaces, and a link never does."""

    def rename_to_free(self, *_arguments):
        raise OSError(errno.EINVAL, "no such flag")

    def link(self, *arguments):
        self.come()
        super().link(*arguments)


class Linkless(Busy):
    """The same without hard links."""

    def link(self, *_arguments):
        raise PermissionError(errno.EPERM, "no links here")


class Plain(Linkless):
    """A file system that has neither."""

    def rename_to_free(self, *_arguments):
        raise OSError(errno.EINVAL, "no such flag")


def endpoint_of(folder, system):
    """Return an endpoint of a folder, whose system calls are those of `system`."""
    return FileEndpoint(Folder(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), system=system), system=system)


def sealed(endpoint):
    """Return a writer whose next step is the commit."""
    writer = endpoint.writer("f", token=TOKEN, if_exists="fail")
    writer.begin()
    writer.feed(b"ours")
    writer.seal(4, hashlib.sha256(b"ours").hexdigest(), "sha256")
    return writer


@pytest.mark.parametrize("system", [Busy, Linking, Linkless])
def test_a_file_that_comes_in_the_moment_of_the_commit_stays(tmp_path, system):
    """One of two writers fails, whichever way the file system has to replace nothing."""
    with endpoint_of(tmp_path, system(tmp_path)) as endpoint:
        writer = sealed(endpoint)
        with pytest.raises(Exists):
            writer.commit()
        assert writer.abort() is None
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"theirs")]


@pytest.mark.parametrize("system", [Busy, Linking, Linkless])
def test_a_file_that_comes_in_the_moment_of_a_rename_stays(tmp_path, system):
    """The file that was to get the name keeps its own."""
    (tmp_path / "a").write_bytes(b"ours")
    with endpoint_of(tmp_path, system(tmp_path)) as endpoint, pytest.raises(Exists):
        endpoint.rename("a", "f")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"ours", "f": b"theirs"}


@pytest.mark.parametrize("system", [Busy, Linking, Linkless, Plain])
def test_a_file_is_delivered_over_none_on_every_file_system(tmp_path, system):
    """Also where nothing keeps a rename from replacing a file: the name was free a moment ago."""
    with endpoint_of(tmp_path, system(tmp_path, comes=False)) as endpoint:
        assert sealed(endpoint).commit().replaced is False
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"ours")]
