"""Small files to an `sftp:` endpoint: they are made at the server when they are sealed, and looked at by the commit."""

import hashlib
import logging

import pytest

from mft_common.endpoints.errors import Mismatch, NotFound, TargetIsFolder
from mft_common.endpoints.names import temporary_name
from mft_common.endpoints.sftp import open_sftp
from mft_common.endpoints.targets import Target

TOKEN = "0000000000000042"
CONTENT = b"small" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def server(sshd):
    """OpenSSH's server."""
    return sshd


@pytest.fixture
def endpoint(server, tmp_path):
    """An open endpoint of the test's own folder."""
    keys = {"key": server.key, "host_key": server.host_keys["ed25519"]}
    target = Target(scheme="sftp", host="127.0.0.1", port=server.port, user=server.user, folder=str(tmp_path), **keys)
    with open_sftp(target) as opened:
        yield opened


def fed(endpoint, name="f", content=CONTENT):
    """Return a writer that has got the content of a file of known size."""
    writer = endpoint.writer(name, token=TOKEN, size=len(content))
    begun = []
    assert writer.begin(begun.append) == 0
    assert begun == [writer.temporary]
    writer.feed(content[:7])
    writer.feed(content[7:])
    return writer


def names(folder):
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_small_file_is_made_when_it_is_sealed(endpoint, tmp_path):
    """The server has nothing of a small file before the seal, all of it under the temporary name then, and commits."""
    writer = fed(endpoint)
    assert writer.flush().position == 0
    assert names(tmp_path) == []
    writer.seal(len(CONTENT), DIGEST, "sha256")
    assert names(tmp_path) == [temporary_name("f", TOKEN)]
    assert writer.commit().replaced is False
    assert names(tmp_path) == ["f"]
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_an_empty_file_is_made(endpoint, tmp_path):
    """A file of known size 0 is delivered."""
    writer = endpoint.writer("f", token=TOKEN, size=0)
    writer.begin()
    writer.seal(0, hashlib.sha256().hexdigest(), "sha256")
    writer.commit()
    assert (tmp_path / "f").read_bytes() == b""


def test_an_upload_that_ends_before_the_seal_leaves_nothing(endpoint, tmp_path):
    """An abort of a small file that was not sealed has nothing to remove, and a file of its token is not lost."""
    assert fed(endpoint).abort() is None
    assert names(tmp_path) == []


def test_what_an_earlier_try_left_is_replaced(endpoint, tmp_path):
    """The temporary file of an earlier try of the same token, which is longer, leaves no byte in the new one."""
    (tmp_path / temporary_name("f", TOKEN)).write_bytes(CONTENT * 2)
    writer = fed(endpoint)
    writer.seal(len(CONTENT), DIGEST, "sha256")
    writer.commit()
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert names(tmp_path) == ["f"]


def test_bytes_beyond_the_declared_size_are_refused(endpoint, tmp_path):
    """A source that yields more than 64 KiB for a file declared small is not held in memory without a limit."""
    writer = fed(endpoint)
    with pytest.raises(Mismatch, match="more bytes"):
        writer.feed(bytes(64 << 10))
    assert writer.abort() is None
    assert names(tmp_path) == []


def test_a_folder_of_that_name_refuses_a_small_file_at_the_commit(endpoint, tmp_path):
    """The commit finds the folder, which stays, and the abort removes the temporary file."""
    (tmp_path / "f").mkdir()
    writer = fed(endpoint)
    writer.seal(len(CONTENT), DIGEST, "size")
    with pytest.raises(TargetIsFolder):
        writer.commit()
    assert writer.abort() is None
    assert names(tmp_path) == ["f"]


def test_a_missing_folder_is_found_by_the_seal(endpoint):
    """A small file for a folder that is not there fails with NotFound before the commit, and can be aborted."""
    writer = fed(endpoint, "missing/f")
    with pytest.raises(NotFound):
        writer.seal(len(CONTENT), DIGEST, "size")
    assert writer.abort() is None


def test_asyncssh_builds_no_log_lines(endpoint, caplog):
    """The library's log, of users, hosts and each packet, stays empty also at the level of debugging."""
    caplog.set_level(logging.DEBUG, logger="asyncssh")
    writer = fed(endpoint)
    writer.seal(len(CONTENT), DIGEST, "size")
    writer.commit()
    assert [record.name for record in caplog.records if record.name.startswith("asyncssh")] == []
