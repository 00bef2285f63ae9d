"""A process that was stopped while it wrote a file, and another one that has gone on with the file meanwhile."""

import hashlib
import os

import pytest

from mft_common.endpoints import pauses
from mft_common.endpoints.errors import NotFound
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder

TOKEN = "0000000000000225"


@pytest.fixture
def writer(tmp_path, monkeypatch):
    """Return a writer that has written two bytes of four; each call of it comes after a long pause."""
    endpoint = FileEndpoint(Folder(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)))
    made = endpoint.writer("f", token=TOKEN, size=4, modified_at=1_000)
    made.begin()
    made.feed(b"ab")
    monkeypatch.setattr(pauses, "LONGEST_S", -1.0)
    yield made
    made.abort()
    endpoint.close()


def seal(writer):
    """Compare what was fed with two bytes more than that."""
    return writer.seal(4, hashlib.sha256(b"abcd").hexdigest(), "sha256")


@pytest.mark.parametrize("call", [lambda writer: writer.feed(b"cd"), seal])
def test_a_file_that_was_delivered_meanwhile_is_not_changed(tmp_path, writer, call):
    """Neither bytes nor a time are written to the file that has its final name."""
    (tmp_path / writer.temporary).rename(tmp_path / "f")
    before = (tmp_path / "f").stat()
    with pytest.raises(NotFound, match="delivered by another process"):
        call(writer)
    after = (tmp_path / "f").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert (tmp_path / "f").read_bytes() == b"ab"


@pytest.mark.parametrize("call", [lambda writer: writer.feed(b"cd"), seal])
def test_a_file_that_was_begun_anew_meanwhile_is_not_changed(tmp_path, writer, call):
    """The temporary name belongs to another file, which the end of the stopped one does not remove."""
    (tmp_path / "theirs").write_bytes(b"xyz")
    (tmp_path / "theirs").replace(tmp_path / writer.temporary)
    with pytest.raises(NotFound, match="removed, or delivered"):
        call(writer)
    writer.abort()
    assert (tmp_path / writer.temporary).read_bytes() == b"xyz"


def test_a_pause_alone_changes_nothing(tmp_path, writer):
    """A slow source is no reason to give a file up."""
    writer.feed(b"cd")
    assert seal(writer)
    writer.commit()
    assert (tmp_path / "f").read_bytes() == b"abcd"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
