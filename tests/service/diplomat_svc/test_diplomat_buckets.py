"""Jobs into buckets: no multipart upload is left, however a job ends (B15)."""

import os
import signal

import pytest

from tests.servers.processes import wait_until
from tests.servers.s3 import KEY_ID, SECRET, S3Server
from tests.service.diplomat_svc.worker_program import kill, start_worker

SIZE = 40 << 20


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An S3 server."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.client.close()
    server.program.kill()


@pytest.fixture
def made(hub, transaction, store, tmp_path):
    """A hub whose transaction moves a file of five parts into a bucket, slowly enough to be stopped amid them."""
    for name, text in (("id", KEY_ID), ("secret", SECRET)):
        (tmp_path / name).write_text(text)
    bucket = store.bucket()
    endpoint = {
        "url": f"s3://{bucket}/in",
        "endpoint": store.url,
        "key_id": {"file": str(tmp_path / "id")},
        "secret": {"file": str(tmp_path / "secret")},
    }
    up = transaction("up", destination={"url": "endpoint:bucket"}, bandwidth="12MiB/s", delete_source=True)
    diplomat = {"jobs": {"stop_grace": "0s"}}
    made = hub(up, endpoints={"bucket": endpoint}, diplomat=diplomat).log_in()
    made.config = {"diplomat": diplomat, "endpoints": {"bucket": endpoint}, "transactions": [up]}
    made.bucket = bucket
    (made.data / "from" / "big").write_bytes(os.urandom(SIZE))
    return made


def begun(made, store):
    """Wait until the bucket has a part of the upload."""

    def parts():
        uploads = store.client.list_multipart_uploads(Bucket=made.bucket).get("Uploads", ())
        return [
            store.client.list_parts(Bucket=made.bucket, Key=one["Key"], UploadId=one["UploadId"]).get("Parts", ())
            for one in uploads
        ]

    wait_until(lambda: any(parts()), what="a part in the bucket")


def nothing_left(made, store):
    """Return whether the bucket holds neither an object nor an upload, and the source is there."""
    return not store.unfinished(made.bucket) and not store.keys(made.bucket) and (made.data / "from" / "big").exists()


@pytest.mark.parametrize(
    ("how", "completion"), [("Cancelling", "Cancelled"), ("Terminating", "Terminated"), ("kill -9", "Failure")]
)
def test_a_job_that_is_stopped_amid_its_parts_leaves_no_upload_b15(made, store, runner, how, completion):
    """Cancelled, terminated or killed: the bucket lists no upload after the job's end."""
    with made.work():
        made.run("up")
        begun(made, store)
        if how == "kill -9":
            (handle,) = runner._handles
            os.kill(handle.pid, signal.SIGKILL)
        else:
            with made.service.database.write() as connection:
                connection.exec_driver_sql("UPDATE jobs SET status = ? WHERE status = 'Running'", (how,))
        assert made.finished("up").findtext("completionStatus") == completion
        wait_until(lambda: nothing_left(made, store), within=5, what="an empty bucket")


def test_a_worker_removes_the_uploads_of_one_that_died_b15(made, store):
    """The names of the files that were under way are in the database; the next worker aborts their uploads."""
    child = start_worker(made)
    made.run("up")
    begun(made, store)
    kill(child)
    assert store.unfinished(made.bucket)
    with made.work():
        made.ready()
        assert made.finished("up").findtext("completionStatus") == "Incomplete"
        assert nothing_left(made, store)
