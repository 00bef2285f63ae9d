"""S15: a running download ends with the bytes it began with, whatever becomes of the file and of the connection."""

import random
from urllib.parse import urlsplit

import pytest

from filestore_svc.settings import Settings
from filestore_svc.store import files, reads
from mft_common import environ_keys
from tests.servers.processes import wait_until
from tests.servers.proxy import Proxy
from tests.servers.s3 import KEY_ID, SECRET
from tests.service.filestore_svc.filestore_lab import Lab, form, identity_of

KIND = "multipart/form-data; boundary=XbX"
CONTENT = random.Random(8).randbytes(40 << 20)


@pytest.fixture
def way(s3):
    """A proxy on the way to the S3 server."""
    url = urlsplit(s3.url)
    with Proxy((url.hostname, url.port)) as made:
        yield made


@pytest.fixture
def make(s3, way, tmp_path):
    """Return a function that builds the service over one bucket, which it reaches through the proxy."""
    bucket = s3.bucket()
    made = []

    def build():
        settings = Settings(
            data=str(tmp_path),
            bytes_url=f"s3://{bucket}/hub",
            s3_endpoint=f"http://127.0.0.1:{way.port}",
            s3_key_id=KEY_ID,
            s3_secret=SECRET,
        )
        made.append(Lab(tmp_path, settings=settings))
        return made[-1]

    yield build
    for each in made:
        each.close()


def _download(lab):
    """Begin a download of CONTENT and read its first block."""
    lab.call("PUT", "/2.0/files/in/a", data=form(CONTENT), content_type=KIND)
    running = lab.client.get("/2.0/files/in/a", environ_overrides={environ_keys.IDENTITY: identity_of("part1")})
    blocks = iter(running.response)
    return running, blocks, next(blocks)


def _held(lab):
    with lab.service.database.read() as connection:
        return reads.owned.all(connection)


@pytest.mark.parametrize("change", ["replace", "delete"])
def test_a_download_from_a_bucket_ends_with_its_first_bytes(make, way, change):
    """Its object stays until it is over, so that it can be read on when the connection to the bucket breaks."""
    lab = make()
    worker = make()
    running, blocks, first = _download(lab)
    wait_until(lambda: _held(lab), within=10, what="a download that holds its object")
    if change == "replace":
        lab.put("/2.0/files/in/a", b"new")
    else:
        lab.call("DELETE", "/2.0/files/in/a")
    assert worker.service.sweeping.delete_blobs(-1) == 0
    way.cut()
    assert b"".join([first, *blocks]) == CONTENT
    running.close()
    wait_until(lambda: not _held(lab), within=10, what="a download that has let go")
    assert worker.service.sweeping.delete_blobs(-1) == 1


def test_what_a_dead_process_read_is_deleted(make):
    """A process that is gone holds no object."""
    lab = make()
    worker = make()
    running, _, _ = _download(lab)
    wait_until(lambda: _held(lab), within=10, what="a download that holds its object")
    lab.put("/2.0/files/in/a", b"new")
    lab.service.processes.close()
    assert worker.service.reads.release_dead() == 1
    assert worker.service.sweeping.delete_blobs(-1) == 1
    running.close()


def test_a_folder_of_one_machine_needs_no_holding(lab):
    """There an open file can be read to its end after it was deleted, and a download costs no commit."""
    running, blocks, first = _download(lab)
    lab.put("/2.0/files/in/a", b"new")
    assert lab.service.sweeping.delete_blobs(-1) == 1
    lab.service.reads.flush(0)
    assert _held(lab) == []
    assert b"".join([first, *blocks]) == CONTENT
    running.close()


def test_a_body_that_is_never_closed_is_released(make):
    """An answer that is given up before a server has it holds its object no longer than it is referred to."""
    lab = make()
    fileset = lab.put("/2.0/files/in/a").json["fileset"]
    with lab.service.database.read() as connection:
        _, file = files.by_fileset(connection, fileset, 0)
    body = lab.service.internal.send(identity_of("system"), file, 0, 5)
    lab.service.reads.flush(0)
    assert [each.key for each in _held(lab)] == [fileset]
    del body
    lab.service.reads.flush(0)
    assert _held(lab) == []
