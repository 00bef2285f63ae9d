"""One suite for every store of bytes: the folder, and the bucket on a real S3 server (S11, S20)."""

import errno
import hashlib
import io
import itertools
import random

import pytest

from filestore_svc.store.blobs import pages
from filestore_svc.store.bucket import Bucket, BucketBlobs, BucketClient
from filestore_svc.store.bucket.staging import BucketStaging
from filestore_svc.store.local_blobs import LocalBlobs
from filestore_svc.store.partials import Digested
from tests.servers.s3 import KEY_ID, SECRET

UPLOAD = "0123456789abcdef0123456789abcdef"


def digested(content=b""):
    """Return the digest of the first bytes of an upload, of none unless told."""
    return Digested(len(content), hashlib.sha256(content))


def bucket_blobs(s3, name, prefix="a/prefix"):
    return BucketBlobs(BucketClient(Bucket(name=name, prefix=prefix, endpoint=s3.url, key_id=KEY_ID, secret=SECRET)))


@pytest.fixture(params=["folder", "bucket"])
def blobs(request, tmp_path):
    """A store of either kind."""
    if request.param == "folder":
        return LocalBlobs(tmp_path)
    s3 = request.getfixturevalue("s3")
    return bucket_blobs(s3, s3.bucket())


def stored(blobs, fileset, content, **more):
    """Stage and keep a content in blocks of 1 MiB."""
    staging = blobs.stage(fileset, **more)
    for start in range(0, len(content), 1 << 20):
        staging.write(memoryview(content)[start : start + (1 << 20)])
    staging.finish()
    blobs.keep(staging)
    return staging


def listed(blobs, age):
    """Return the ids on all pages of a store."""
    return {fileset for ids in pages(blobs, age) for fileset in ids}


def read(blobs, fileset):
    with blobs.open(fileset) as blob:
        return blob.readall()


@pytest.mark.parametrize("size", [0, 1, 64 << 10, (64 << 10) + 1, (8 << 20) - 1, 8 << 20, (20 << 20) + 7])
def test_a_kept_content_is_read_back_unchanged(blobs, size):
    """Contents of every size come back with the digests that were computed on the way in."""
    content = random.Random(size).randbytes(size)
    staging = stored(blobs, 4097, content, md5=True)
    assert staging.sha256.hexdigest() == hashlib.sha256(content).hexdigest()
    assert (staging.size, staging.md5.digest()) == (size, hashlib.md5(content).digest())
    assert read(blobs, 4097) == content
    assert listed(blobs, -5) == {4097}


@pytest.mark.parametrize("size", [10, 20 << 20])
def test_a_content_is_invisible_before_it_is_kept(blobs, size):
    """No reader opens it and no page lists it; a discarded one leaves nothing."""
    staging = blobs.stage(1)
    staging.write(b"x" * size)
    with pytest.raises(FileNotFoundError):
        blobs.open(1)
    staging.finish()
    staging.discard()
    staging.discard()
    assert listed(blobs, -5) == set()
    assert blobs.clear_staging(-5) == 0


@pytest.mark.parametrize("size", [5, 1 << 20])
def test_an_id_that_is_given_out_again_gets_the_new_content(blobs, size):
    """A database that was restored from a backup gives out ids whose older contents are still stored."""
    stored(blobs, 4097, b"an older content")
    stored(blobs, 4097, b"x" * size)
    assert read(blobs, 4097) == b"x" * size
    assert blobs.clear_staging(-5) == 0


def test_reading_from_anywhere(blobs):
    """A reader seeks to any position and reads on from there."""
    content = random.Random(3).randbytes(3_000_000)
    stored(blobs, 7, content)
    with blobs.open(7) as blob:
        assert blob.seek(2_999_990) == 2_999_990
        assert blob.read(100) == content[-10:]
        assert blob.read(100) == b""
        assert blob.seek(-5, io.SEEK_END) == 2_999_995
        blob.seek(100)
        got = b""
        while len(got) < 1_000_000:
            got += blob.read(1 << 16)
        assert got == content[100 : 100 + len(got)]
        assert blob.tell() == 100 + len(got)


def test_removing(blobs):
    """A removed content cannot be opened, an open reader goes on, and a second removal does no harm."""
    stored(blobs, 1, b"hello")
    with blobs.open(1) as blob:
        assert blob.read(1) == b"h"
        blobs.remove(1)
        blobs.remove(1)
        assert blob.read(10) == b"ello"
    with pytest.raises(FileNotFoundError):
        blobs.open(1)


def test_the_ids_of_stored_contents(blobs):
    """Pages list every content that is old enough, and none that is younger."""
    for fileset in (1, 2, 5000, 1 << 40):
        stored(blobs, fileset, b"x")
    assert listed(blobs, -5) == {1, 2, 5000, 1 << 40}
    assert listed(blobs, 3600) == set()


def test_a_bucket_is_read_in_pages(s3):
    """Each page goes on after the last key of the one before; keys that are no ids are left out."""
    name = s3.bucket()
    client = BucketClient(Bucket(name=name, prefix="p", endpoint=s3.url, key_id=KEY_ID, secret=SECRET))
    blobs = BucketBlobs(client, page=2)
    for fileset in (1, 10, 2, 30, 4):
        stored(blobs, fileset, b"x")
    client.put("blobs/README", b"x")
    assert blobs.page("", -5) == ([1, 10], "blobs/10")
    assert blobs.page("blobs/10", -5) == ([2, 30], "blobs/30")
    assert blobs.page("blobs/30", -5) == ([4], "")


def test_a_folder_is_read_in_pages(tmp_path):
    """A page ends with the folder that fills it, and the next one goes on with the folder after that."""
    blobs = LocalBlobs(tmp_path, page=2)
    for fileset in (1, 5000, 5001, 1 << 24, 1 << 40):
        stored(blobs, fileset, b"x")
    found, cursor = [], None
    while cursor != "":
        ids, cursor = blobs.page(cursor or "", -5)
        found.append(sorted(ids))
    assert [set(ids) for ids in found] == [{1, 5000, 5001}, {1 << 24, 1 << 40}, set()]


def test_abandoned_uploads_are_cleared_by_their_age(blobs):
    """Staging that received its last byte longer ago than the given age is removed, and removed once."""
    staging = blobs.stage(1)
    staging.write(b"x" * (9 << 20))
    staging.finish()
    assert blobs.clear_staging(-5) == 1
    assert blobs.clear_staging(-5) == 0


@pytest.mark.parametrize("age", [None, 3600.0])
def test_an_upload_lives_as_long_as_it_is_written_to(blobs, age):
    """The age of an upload is that of its last write, not of its beginning (moto dates every beginning to 2010)."""
    content = random.Random(4).randbytes(9 << 20)
    staging = blobs.stage(1)
    staging.write(content)
    assert blobs.clear_staging(age) == 0
    staging.write(content)
    staging.finish()
    blobs.keep(staging)
    assert read(blobs, 1) == content + content


def test_a_slow_upload_shows_the_bucket_that_it_lives(s3):
    """A part that takes long to fill is sent as far as it is, and replaced by the full one later."""
    name, time = s3.bucket(), [0.0]
    client = BucketClient(Bucket(name=name, prefix="", endpoint=s3.url, key_id=KEY_ID, secret=SECRET))
    staging = BucketStaging(client, 1, md5=False, clock=lambda: time[0])
    contents = [random.Random(number).randbytes(size) for number, size in enumerate((8 << 20, 5, 7, 8 << 20, 3))]
    sent = []
    for content in contents:
        staging.write(content)
        time[0] += 1000
        upload = s3.client.list_multipart_uploads(Bucket=name)["Uploads"][0]["UploadId"]
        parts = s3.client.list_parts(Bucket=name, Key="blobs/1", UploadId=upload)["Parts"]
        sent.append([part["Size"] for part in parts])
    assert sent == [[8 << 20], [8 << 20, 5], [8 << 20, 12], [8 << 20, (8 << 20) + 12], [8 << 20, (8 << 20) + 12, 3]]
    staging.keep()
    assert read(BucketBlobs(client), 1) == b"".join(contents)


@pytest.mark.parametrize("known", [0, 1_500_000, 20_000_000])
def test_a_resumable_upload(blobs, known):
    """Pieces of any size become one content; bytes that were not made durable are overwritten."""
    content = random.Random(5).randbytes(20_000_000)
    edges = [0, 1, 1_000_000, 9_500_000, 20_000_000]
    names = []
    for start, stop in itertools.pairwise(edges):
        partial = blobs.resume(UPLOAD, start, lambda: None, names)
        partial.append(content[start:stop])
        names += partial.sync()
        partial.append(b"bytes that were not made durable"[: len(content) - stop])
        partial.close()
    seen = hashlib.sha256()
    whole = blobs.whole(UPLOAD, 9, len(content), names, digested=digested(content[:known]), watch=seen.update)
    assert whole.sha256.hexdigest() == seen.hexdigest() == hashlib.sha256(content).hexdigest()
    whole.finish()
    blobs.keep(whole)
    assert blobs.partials_older_than(-5) == [UPLOAD]
    blobs.drop(UPLOAD)
    blobs.drop(UPLOAD)
    assert blobs.partials_older_than(-5) == []
    assert read(blobs, 9) == content


def test_an_empty_resumable_upload(blobs):
    """An upload of no bytes becomes an empty content."""
    whole = blobs.whole(UPLOAD, 9, 0, [], digested=digested(), watch=None)
    blobs.keep(whole)
    blobs.drop(UPLOAD)
    assert read(blobs, 9) == b""


def test_an_upload_with_missing_bytes(blobs):
    """An upload that holds fewer bytes than its size is not assembled."""
    partial = blobs.resume(UPLOAD, 0, lambda: None, [])
    partial.append(b"12345")
    names = partial.sync()
    partial.close()
    with pytest.raises(OSError, match=r"size|pieces"):
        blobs.whole(UPLOAD, 9, 6, names, digested=digested(), watch=None)
    assert listed(blobs, -5) == set()


def test_an_overtaken_request_writes_nothing(blobs):
    """The check is made before each write."""

    def overtaken():
        raise LookupError

    partial = blobs.resume(UPLOAD, 0, overtaken, [])
    with pytest.raises(LookupError):
        partial.append(b"x")
    partial.close()


def test_ping(blobs):
    """A store that works raises nothing."""
    blobs.ping()


def test_a_missing_bucket(s3):
    """Its errors are OSError with the codes of a broken disk."""
    blobs = bucket_blobs(s3, "no-such-bucket")
    with pytest.raises(OSError, match=r"404|bucket"):
        blobs.ping()
    with pytest.raises(OSError, match="NoSuchBucket") as caught:
        stored(blobs, 1, b"x")
    assert caught.value.errno == errno.EIO
    nobody = BucketBlobs(
        BucketClient(Bucket(name="x", prefix="", endpoint="http://127.0.0.1:1", key_id="a", secret="b"))
    )
    with pytest.raises(OSError, match="does not answer"):
        nobody.ping()


def test_an_abort_leaves_no_parts(s3):
    """A discarded upload has no parts in the bucket, and everything lies below the prefix."""
    name = s3.bucket()
    blobs = bucket_blobs(s3, name)
    staging = blobs.stage(1)
    for _ in range(3):
        staging.write(b"x" * (8 << 20))
    assert s3.unfinished(name) == ["a/prefix/blobs/1"]
    staging.discard()
    assert (s3.unfinished(name), s3.keys(name)) == ([], [])
    stored(blobs, 2, b"x" * (9 << 20))
    assert (s3.unfinished(name), s3.keys(name)) == ([], ["a/prefix/blobs/2"])
