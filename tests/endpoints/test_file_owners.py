"""Two writers to one name of a local folder that share a token, as after work was taken over."""

import hashlib

import pytest

from mft_common.endpoints.errors import Mismatch
from tests.endpoints.far_file import FarFolder

TOKEN = "0000000000000042"


def sealed(endpoint, content, if_exists):
    """Return a writer that has sealed `content`."""
    writer = endpoint.writer("f", token=TOKEN, size=len(content), if_exists=if_exists)
    writer.begin()
    writer.feed(content)
    assert writer.seal(len(content), hashlib.sha256(content).hexdigest(), "sha256")
    return writer


@pytest.mark.parametrize("if_exists", ["replace", "fail"])
def test_a_file_that_another_owner_began_is_neither_published_nor_removed(tmp_path, if_exists):
    """The former owner's commit fails, its abort leaves the other's file alone, and the other delivers."""
    far = FarFolder(tmp_path, "far")
    with far.open() as former, far.open() as present:
        late = sealed(former, b"the former owner's", if_exists)
        writer = present.writer("f", token=TOKEN, size=3, if_exists=if_exists)
        writer.begin()
        writer.feed(b"new")
        with pytest.raises(Mismatch):
            late.commit()
        assert far.read_outside("f") is None
        late.abort()
        assert writer.seal(3, hashlib.sha256(b"new").hexdigest(), "sha256")
        writer.commit()
    assert far.names_outside() == ["f"]
    assert far.read_outside("f") == b"new"
