"""The service over a bucket behaves as it does over a folder."""

import random

import pytest

from filestore_svc.settings import Settings
from tests.servers.s3 import KEY_ID, SECRET
from tests.service.filestore_svc.filestore_lab import Lab, form
from tests.service.filestore_svc.test_resumable_uploads import head, location, patch


@pytest.fixture
def bucket(s3):
    """Return the name of a new bucket."""
    return s3.bucket()


@pytest.fixture
def hub(s3, bucket, tmp_path):
    """Return the service over that bucket."""
    settings = Settings(
        data=str(tmp_path),
        bytes_url=f"s3://{bucket}/hub",
        s3_endpoint=s3.url,
        s3_key_id=KEY_ID,
        s3_secret=SECRET,
    )
    made = Lab(tmp_path, settings=settings)
    yield made
    made.close()


def test_upload_and_download(hub, s3, bucket):
    """After 201 the bucket holds the object; ranges, replacing and deleting work."""
    content = random.Random(1).randbytes(9 << 20)
    kind = "multipart/form-data; boundary=XbX"
    fileset = hub.call("PUT", "/2.0/files/in/a", data=form(content), content_type=kind).json["fileset"]
    assert s3.keys(bucket) == [f"hub/blobs/{fileset}"]
    assert hub.get("/2.0/files/in/a").data == content
    part = hub.get("/2.0/files/in/a", headers={"Range": "bytes=5000000-5000009"})
    assert (part.status_code, part.data) == (206, content[5_000_000:5_000_010])
    second = hub.put("/2.0/files/in/a", b"new").json["fileset"]
    assert hub.service.sweeping.delete_blobs(-1) == 1
    assert s3.keys(bucket) == [f"hub/blobs/{second}"]
    assert hub.call("DELETE", "/2.0/files/in/a").status_code == 200
    hub.service.sweeping.delete_blobs(-1)
    assert s3.keys(bucket) == []


def test_a_cut_body_leaves_nothing(hub, s3, bucket):
    """A cut upload leaves neither an object nor a part."""
    body = form(b"x" * (20 << 20))[:-9]
    answer = hub.call("PUT", "/2.0/files/in/a", data=body, content_type="multipart/form-data; boundary=XbX")
    assert answer.status_code == 400
    assert (s3.keys(bucket), s3.unfinished(bucket)) == ([], [])


def test_an_orphan_is_removed(hub, s3, bucket):
    """An object without a row is removed by its age; one with a row stays."""
    fileset = hub.put("/2.0/files/in/a", b"x").json["fileset"]
    s3.client.put_object(Bucket=bucket, Key="hub/blobs/99999", Body=b"x")
    assert hub.service.sweeping.orphans.step(-5) == 1
    assert s3.keys(bucket) == [f"hub/blobs/{fileset}"]


def test_a_resumable_upload(hub, s3, bucket):
    """Each piece is in the bucket before its offset is reported, a new process goes on, and no piece is left."""
    where = location(hub)
    patch(hub, where, 0, b"01234")
    hub.close()
    hub.open()
    assert head(hub, where).headers["Upload-Offset"] == "5"
    patch(hub, where, 5, b"567")
    assert len(s3.keys(bucket)) == 2
    fileset = patch(hub, where, 8, b"89").headers["Fileset"]
    assert s3.keys(bucket) == [f"hub/blobs/{fileset}"]
    assert hub.get("/2.0/files/in/a.bin").data == b"0123456789"


def test_a_bucket_that_is_away(hub, s3, bucket):
    """503 with Retry-After, for uploads and downloads alike; readiness says so."""
    hub.put("/2.0/files/in/a", b"x")
    for key in s3.keys(bucket):
        s3.client.delete_object(Bucket=bucket, Key=key)
    s3.client.delete_bucket(Bucket=bucket)
    answers = [hub.put("/2.0/files/in/b", b"x"), hub.get("/2.0/files/in/a")]
    assert [(answer.status_code, answer.json["message"]) for answer in answers] == [
        (503, "Temporarily unavailable"),
        (503, "Temporarily unavailable"),
    ]
    assert hub.client.get("/readyz").status_code == 503


def test_a_start_while_the_bucket_is_away(s3, tmp_path):
    """The service starts, is not ready, and answers 503 until the bucket is back."""
    place = {"bytes_url": "s3://no-such-bucket-yet/hub", "s3_endpoint": s3.url}
    lab = Lab(tmp_path, settings=Settings(data=str(tmp_path), s3_key_id=KEY_ID, s3_secret=SECRET, **place))
    told = [lab.put("/2.0/files/in/a").status_code, lab.client.get("/readyz").status_code]
    s3.client.create_bucket(Bucket="no-such-bucket-yet")
    told += [lab.put("/2.0/files/in/a").status_code, lab.client.get("/readyz").status_code]
    lab.close()
    assert told == [503, 503, 201, 200]
