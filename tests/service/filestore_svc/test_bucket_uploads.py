"""X1: a resumable upload into a bucket is assembled inside the bucket, whatever the sizes of its pieces."""

import hashlib
import random

import pytest

from filestore_svc.store.bucket import Bucket, BucketBlobs, BucketClient
from filestore_svc.store.bucket.partials import LEAST_PART
from filestore_svc.store.bucket.pieces import chain
from filestore_svc.store.partials import Digested
from tests.servers.s3 import KEY_ID, SECRET

UPLOAD = "0123456789abcdef0123456789abcdef"
MIB = 1 << 20


def digested(content=b""):
    """Return the digest of the first bytes of an upload, of none unless told."""
    return Digested(len(content), hashlib.sha256(content))


class Counting(BucketClient):
    """A client that counts the bytes which it sends and receives."""

    def __init__(self, bucket):
        super().__init__(bucket)
        self.sent = self.received = self.copied = 0

    def put(self, key, content):
        self.sent += len(content)
        super().put(key, content)

    def part(self, key, upload, number, content):
        self.sent += len(content)
        return super().part(key, upload, number, content)

    def copy_part(self, key, upload, number, source):
        self.copied += 1
        return super().copy_part(key, upload, number, source)

    def read(self, body, size):
        block = super().read(body, size)
        self.received += len(block)
        return block

    def read_all(self, key):
        content = super().read_all(key)
        self.received += len(content)
        return content


@pytest.fixture
def client(s3):
    """A counting client of a bucket of the test's own."""
    return Counting(Bucket(name=s3.bucket(), prefix="p", endpoint=s3.url, key_id=KEY_ID, secret=SECRET))


def _sent_in_pieces(blobs, content, size):
    """Send a content by one request for every `size` bytes; return the names of the pieces."""
    names = []
    for start in range(0, len(content), size):
        partial = blobs.resume(UPLOAD, start, lambda: None, names)
        for block in range(start, min(start + size, len(content)), MIB):
            partial.append(content[block : min(block + MIB, start + size)])
        names += partial.sync()
        partial.close()
    return names


def _content(blobs, fileset):
    with blobs.open(fileset) as blob:
        return blob.readall()


@pytest.mark.parametrize("size", [300_000, MIB, 5 * MIB, 6_000_000, 10_000_000, 41 * MIB])
def test_the_completion_sends_no_byte_that_a_part_can_be_copied_from(client, size):
    """The last request reads and sends less than one part, for any sizes of the earlier requests."""
    blobs = BucketBlobs(client)
    content = random.Random(size).randbytes(40_000_003)
    names = _sent_in_pieces(blobs, content, size)
    small = [piece.size for piece in chain(names, len(content)) if piece.size < LEAST_PART]
    assert sum(small) < LEAST_PART
    client.sent = client.received = 0
    whole = blobs.whole(UPLOAD, 9, len(content), names, digested=digested(content), watch=None)
    blobs.keep(whole)
    assert client.sent == client.received < LEAST_PART
    assert client.copied >= 4
    assert _content(blobs, 9) == content


def test_small_requests_cost_each_byte_twice_at_most(client):
    """A small piece is merged once, with those that follow it."""
    blobs = BucketBlobs(client)
    content = random.Random(1).randbytes(20 * MIB)
    _sent_in_pieces(blobs, content, 256 << 10)
    assert client.sent <= 2 * len(content)
    assert client.received <= len(content)


def test_pieces_of_a_former_version(client):
    """Names without a length are understood, as an upload may be under way during an upgrade."""
    blobs = BucketBlobs(client)
    content = random.Random(2).randbytes(21 * MIB)
    old = [(0, 8 * MIB), (8 * MIB, 9 * MIB), (9 * MIB, 11 * MIB)]
    names = []
    for start, stop in old:
        names.append(f"{start:020d}-{start + 1:016x}")
        client.put(f"partial/{UPLOAD}/{names[-1]}", content[start:stop])
    partial = blobs.resume(UPLOAD, 11 * MIB, lambda: None, names)
    partial.append(content[11 * MIB :])
    names += partial.sync()
    seen = hashlib.sha256()
    whole = blobs.whole(UPLOAD, 9, len(content), names, digested=digested(), watch=seen.update)
    blobs.keep(whole)
    assert seen.digest() == whole.sha256.digest() == hashlib.sha256(content).digest()
    assert _content(blobs, 9) == content


def test_a_completion_that_takes_longer_to_read_than_unfinished_uploads_stay(client):
    """A sweep while a scanner reads finds no multipart upload to abort, however long that takes (S20)."""
    blobs, aborted = BucketBlobs(client), []
    content = random.Random(5).randbytes(12 * MIB)
    names = _sent_in_pieces(blobs, content, 12 * MIB)

    def watch(_block):
        aborted.append(blobs.clear_staging(-5))

    whole = blobs.whole(UPLOAD, 9, len(content), names, digested=digested(), watch=watch)
    blobs.keep(whole)
    assert (sum(aborted), _content(blobs, 9) == content) == (0, True)


@pytest.mark.parametrize("known", [True, False])
def test_a_piece_that_is_gone_ends_the_completion(client, s3, known):
    """No object is stored, and no multipart upload stays."""
    blobs = BucketBlobs(client)
    content = random.Random(3).randbytes(20 * MIB)
    names = _sent_in_pieces(blobs, content, 20 * MIB)
    client.delete(f"partial/{UPLOAD}/{names[1]}")
    with pytest.raises(FileNotFoundError):
        blobs.whole(UPLOAD, 9, len(content), names, digested=digested(content if known else b""), watch=None)
    assert list(client.unfinished("blobs/")) == []
    with pytest.raises(OSError, match="pieces"):
        blobs.whole(UPLOAD, 9, len(content), names[1:], digested=digested(), watch=None)


def test_a_discarded_completion_leaves_its_pieces(client):
    """The upload can be completed later, from the same pieces."""
    blobs = BucketBlobs(client)
    content = random.Random(4).randbytes(17 * MIB)
    names = _sent_in_pieces(blobs, content, 3 * MIB)
    blobs.whole(UPLOAD, 9, len(content), names, digested=digested(), watch=None).discard()
    assert list(client.unfinished("blobs/")) == []
    blobs.keep(blobs.whole(UPLOAD, 10, len(content), names, digested=digested(), watch=None))
    assert _content(blobs, 10) == content
    blobs.drop(UPLOAD)
    assert blobs.partials_older_than(-5) == []


@pytest.mark.parametrize("seed", range(6))
def test_requests_of_any_size_some_of_which_are_lost(client, seed):
    """A request whose offset was never committed leaves objects that become no part of the file."""
    blobs = BucketBlobs(client)
    rng = random.Random(seed)
    content = rng.randbytes(rng.randrange(20 * MIB, 45 * MIB))
    names, received = [], 0
    while received < len(content):
        size = min(len(content) - received, rng.randrange(1, rng.choice([MIB, 9 * MIB, 20 * MIB])))
        lost = rng.random() < 0.25
        body = rng.randbytes(size) if lost else content[received : received + size]
        partial, new = blobs.resume(UPLOAD, received, lambda: None, names), []
        for start in range(0, size, 700_000):
            partial.append(body[start : start + 700_000])
            new += partial.sync() if rng.random() < 0.1 else []
        new += partial.sync()
        if not lost:
            names, received = [*names, *new], received + size
    known = digested(content[: rng.randrange(len(content))])
    whole = blobs.whole(UPLOAD, 9, len(content), names, digested=known, watch=None)
    assert whole.sha256.digest() == hashlib.sha256(content).digest()
    blobs.keep(whole)
    assert _content(blobs, 9) == content
