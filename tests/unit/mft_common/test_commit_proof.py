"""The proof of a commit that an earlier process was cut off after."""

import functools
import hashlib
import json
import threading

import pytest

from mft_common.endpoints.errors import Interrupted
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.targets import parse_url
from mft_common.transfer.commit_proof import SIZE, CommitProof, entry_of

CONTENT = b"content"


@pytest.fixture
def endpoint(tmp_path):
    """Return the endpoint of a folder with one file, `a`."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a").write_bytes(CONTENT)
    with open_file(parse_url("file:here"), LocalFolders(tmp_path)) as opened:
        yield opened


@pytest.fixture
def proof(endpoint):
    """Return the proof of the file, as another process reads it from a database."""
    made = CommitProof(endpoint.stat("a"), hashlib.sha256(CONTENT).hexdigest(), {SIZE: len(CONTENT)})
    return CommitProof.of(json.loads(json.dumps(made.as_json())))


def found(proof, endpoint, path, stop=None):
    return proof.find(endpoint, functools.partial(endpoint.stat, path), stop or threading.Event())


def test_the_same_bytes_prove_the_commit(proof, endpoint):
    """A file at the destination with the size and digest of what was written is the committed one."""
    assert found(proof, endpoint, "a").path == "a"


@pytest.mark.parametrize("content", [b"another", b"longer than that", b""])
def test_other_bytes_prove_nothing(proof, endpoint, tmp_path, content):
    """A file of the same name and other bytes is another program's."""
    (tmp_path / "here" / "a").write_bytes(content)
    assert found(proof, endpoint, "a") is None


def test_no_file_a_folder_and_a_link_prove_nothing(proof, endpoint, tmp_path):
    """A name that is gone, a folder and a link to the very bytes are not the committed file."""
    (tmp_path / "here" / "folder").mkdir()
    (tmp_path / "here" / "link").symlink_to("a")
    assert [found(proof, endpoint, path) for path in ("gone", "folder", "link")] == [None, None, None]


def test_a_stop_ends_the_comparison(proof, endpoint):
    """A comparison of a large file ends at the next block once a stop was asked for."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        found(proof, endpoint, "a", stop)


def test_a_checkpoint_before_the_seal_is_no_proof(proof):
    """A checkpoint of an unfinished copy has an entry and no values."""
    unfinished = {"entry": proof.as_json()["entry"], "position": 3}
    assert CommitProof.of(unfinished) is None
    assert CommitProof.of(None) is None
    assert entry_of(unfinished) == proof.entry
    assert entry_of(None) is None
