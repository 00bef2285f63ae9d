"""Steps that keep a copy of what passes, and that require what passes."""

import hashlib
import os

import pytest

from mft_common.endpoints.errors import Changed
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder
from mft_common.transfer import Digest, Mover
from mft_common.transfer.sources import KeptSource
from mft_common.transfer.steps.keep import Expect, Kept

TOKEN = "0000000000000042"
CONTENT = os.urandom(3_000_000)


@pytest.fixture
def ends(tmp_path):
    """A folder with a file, and one to move to."""
    opened = []
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
        opened.append(FileEndpoint(Folder(os.open(tmp_path / name, os.O_RDONLY | os.O_DIRECTORY))))
    (tmp_path / "from" / "a").write_bytes(CONTENT)
    yield opened
    for one in opened:
        one.close()


def _digest(content):
    return Digest(len(content), hashlib.sha256(content).hexdigest())


def test_a_kept_copy_is_a_source_file_and_has_no_name(ends, tmp_path):
    """It is what passed in the last try, and is read as often as it is wanted."""
    source, target = ends
    kept = Kept(tmp_path / "private")
    abandoned = kept.step()
    list(abandoned.feed(b"an earlier try"))
    moved = Mover(token=TOKEN, steps=[kept.step]).move(source, source.stat("a"), target, "b")
    assert list((tmp_path / "private").iterdir()) == []
    again = KeptSource(kept.file, "b", moved.delivered.size)
    for name in ("c", "d"):
        copied = Mover(token=TOKEN).move(again, again.entries[0], target, name)
        assert (copied.delivered, (tmp_path / "to" / name).read_bytes()) == (moved.delivered, CONTENT)
    kept.close()
    assert kept.file is None


@pytest.mark.parametrize("other", [CONTENT[:-1], CONTENT[:-1] + b"x" * 2, b""])
def test_a_file_that_is_not_the_expected_one_is_not_delivered(ends, tmp_path, other):
    """The name holds what it held, and nothing unfinished is left."""
    source, target = ends
    expected = _digest(CONTENT)
    Mover(token=TOKEN, steps=[lambda: Expect(expected)]).move(source, source.stat("a"), target, "b")
    (tmp_path / "from" / "a").write_bytes(other)
    with pytest.raises(Changed, match="are not those of before"):
        Mover(token=TOKEN, steps=[lambda: Expect(expected)]).move(source, source.stat("a"), target, "b")
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["b"]
    assert (tmp_path / "to" / "b").read_bytes() == CONTENT
