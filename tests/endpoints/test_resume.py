"""Moves that are cut at a random byte go on from there, over every kind that can, and are whole."""

import contextlib
import hashlib
import json
import random

import pytest

from mft_common.endpoints.errors import Transient
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.targets import parse_url
from mft_common.transfer import Mover

TOKEN = "0000000000000042"
SEED = 20261128
SIZE = 24 << 20
# Parts of S3 have 5 MiB at least, so that a cut costs more bytes of a small file.
SIZES = {"s3": 96 << 20}
ROUNDS = [4, pytest.param(50, marks=pytest.mark.slow)]


class Cut:
    """Fails once, at a byte, and counts the bytes that pass."""

    def __init__(self, at):
        self.at, self.passed = at, 0

    def take(self, count):
        if self.at is not None and self.passed + count > self.at:
            self.at = None
            raise Transient("cut by the test")
        self.passed += count


class Watched:
    """An endpoint whose readers and writers are cut; everything else is the endpoint's own."""

    def __init__(self, endpoint, cut):
        self.endpoint, self.cut = endpoint, cut

    def __getattr__(self, name):
        return getattr(self.endpoint, name)

    def open(self, entry, start=0):
        return WatchedReader(self.endpoint.open(entry, start), self.cut)

    def writer(self, path, **options):
        return WatchedWriter(self.endpoint.writer(path, **options), self.cut)


class WatchedReader:
    def __init__(self, reader, cut):
        self.reader, self.cut = reader, cut

    def __getattr__(self, name):
        return getattr(self.reader, name)

    def read(self, size):
        block = self.reader.read(size)
        self.cut.take(len(block))
        return block


class WatchedWriter:
    def __init__(self, writer, cut):
        self.writer, self.cut = writer, cut

    def __getattr__(self, name):
        return getattr(self.writer, name)

    def feed(self, block):
        self.cut.take(len(block))
        self.writer.feed(block)


@pytest.fixture
def local(tmp_path):
    """A folder of this machine, as path and endpoint."""
    (tmp_path / "here").mkdir()
    with open_file(parse_url("file:here"), LocalFolders(tmp_path)) as endpoint:
        yield tmp_path / "here", endpoint


def content_of(far, seed):
    """Return bytes of the size that this kind is tried with."""
    return random.Random(seed).randbytes(SIZES.get(far.kind, SIZE))


def mover(**options):
    """Return an engine that saves its state as often as it may."""
    return Mover(token=TOKEN, checkpoint_every=0.0, delay=0.0, **{"retries": 1, **options})


def again(cut, size):
    """Return the part of the bytes that passed more than once."""
    return (cut.passed - size) / size


@pytest.mark.parametrize("rounds", ROUNDS)
def test_an_upload_that_is_cut_goes_on(far, local, rounds):
    """After a cut at a random byte the file is whole, and fewer than a tenth of its bytes are sent again."""
    if not far.resumes:
        return
    chance = random.Random(SEED)
    path, source = local
    content = content_of(far, SEED)
    (path / "f").write_bytes(content)
    entry = source.stat("f")
    with far.open() as endpoint:
        for _ in range(rounds):
            cut = Cut(chance.randrange(len(content)))
            moved = mover().move(source, entry, Watched(endpoint, cut), "f")
            assert moved.delivered.sha256 == hashlib.sha256(content).hexdigest()
            assert moved.retries == 1
            assert again(cut, len(content)) < 0.1
        assert far.read_outside("f") == content
    assert far.names_outside() == ["f"]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_download_that_is_cut_goes_on(far, local, rounds):
    """After a cut at a random byte the file is whole, and fewer than a tenth of its bytes are read again."""
    chance = random.Random(SEED)
    path, destination = local
    content = content_of(far, SEED)
    far.write_outside("f", content)
    with far.open() as endpoint:
        entry = endpoint.stat("f")
        for _ in range(rounds):
            cut = Cut(chance.randrange(len(content)))
            moved = mover().move(Watched(endpoint, cut), entry, destination, "f")
            assert (path / "f").read_bytes() == content
            assert moved.source.sha256 == hashlib.sha256(content).hexdigest()
            if endpoint.features.resume_read and entry.version:
                assert again(cut, len(content)) < 0.1
    assert [one.name for one in path.iterdir()] == ["f"]


def test_a_new_owner_goes_on(far, local):
    """A checkpoint that was saved as JSON is gone on with over other connections, without a digest in memory."""
    if not far.resumes:
        return
    path, source = local
    content = content_of(far, 3)
    (path / "f").write_bytes(content)
    saved = []
    cut = Cut(len(content) * 3 // 4)
    with far.open() as endpoint, pytest.raises(Transient):
        mover(retries=0, keep=True, checkpointed=saved.append).move(
            source, source.stat("f"), Watched(endpoint, cut), "f"
        )
    resume = json.loads(json.dumps(saved[-1]))
    with far.open() as endpoint:
        cut = Cut(None)
        moved = mover().move(source, source.stat("f"), Watched(endpoint, cut), "f", resume=resume)
    assert moved.resumed > len(content) // 2
    assert cut.passed == len(content) - moved.resumed
    assert far.read_outside("f") == content
    assert moved.source.sha256 == hashlib.sha256(content).hexdigest()


def test_a_source_that_changed_meanwhile_begins_anew(far, local):
    """Between two tries the source became another file: that one is delivered, as a whole."""
    path, source = local
    (path / "f").write_bytes(content_of(far, 4))
    other = content_of(far, 5)[:-1000]
    cut = Cut(len(other) // 2)

    def change(_number):
        (path / "f").write_bytes(other)

    with far.open() as endpoint:
        moved = mover(retrying=change).move(source, source.stat("f"), Watched(endpoint, cut), "f")
    assert far.read_outside("f") == other
    assert (moved.resumed, moved.delivered.size) == (0, len(other))
    assert far.names_outside() == ["f"]


def test_a_far_source_that_changed_meanwhile_begins_anew(far, local):
    """Between two tries the file at the far side became another one: that one is delivered, as a whole."""
    path, destination = local
    far.write_outside("f", content_of(far, 4))
    other = content_of(far, 5)[:-1000]
    cut = Cut(len(other) // 2)
    with far.open() as endpoint:
        changing = mover(retrying=lambda _: far.write_outside("f", other))
        changing.move(Watched(endpoint, cut), endpoint.stat("f"), destination, "f")
    assert (path / "f").read_bytes() == other
    assert [one.name for one in path.iterdir()] == ["f"]


def test_a_move_that_fails_for_good_leaves_nothing(far, local):
    """Without `keep` the unfinished file of the last try is removed, also where it could be gone on with."""
    path, source = local
    content = content_of(far, 6)
    (path / "f").write_bytes(content)
    with far.open() as endpoint, contextlib.suppress(Transient):
        mover(retries=0).move(source, source.stat("f"), Watched(endpoint, Cut(len(content) // 2)), "f")
    with far.open() as endpoint:
        assert endpoint.sweep(TOKEN) == ()
    assert far.names_outside() == []
