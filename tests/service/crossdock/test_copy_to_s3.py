"""`crossdock copy` into a bucket: what a killed run has left there is gone after the next one."""

import json
import os
import signal
import subprocess
import sys

import pytest

from crossdock import certificate
from tests.servers.processes import wait_until
from tests.servers.s3 import KEY_ID, SECRET, S3Server

CONTENT = bytes(range(256)) * (24 << 12)


@pytest.fixture
def server(tmp_path):
    """A server of S3 over TLS."""
    server = S3Server(tmp_path, certificate.ensure(tmp_path))
    yield server
    server.client.close()
    server.program.kill()


def _configure(folder, server, bucket):
    """Write crossdock.yaml with the endpoint `far`."""
    (folder / "crossdock.yaml").write_text(
        f"endpoints:\n  far:\n    url: s3://{bucket}/in\n    endpoint: {server.url}\n    key_id: {{env: S3_ID}}\n"
        f"    secret: {{env: S3_SECRET}}\n    ca: {certificate.ensure(folder)[0]}\n"
    )


def test_a_bucket_that_does_not_exist_is_named_as_the_reason(tmp_path, server):
    """The file that is copied into it exists, so the error is not about that."""
    _configure(tmp_path, server, "no-such-bucket")
    (tmp_path / "a.bin").write_bytes(b"a")
    copy = [sys.executable, "-m", "crossdock", "copy", "a.bin", "endpoint:far", "--format", "json"]
    environ = {**os.environ, "S3_ID": KEY_ID, "S3_SECRET": SECRET}
    done = subprocess.run(copy, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert [one["error"] for one in json.loads(done.stdout)["files"]] == ["the bucket does not exist"]


@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("option", [[], ["--resume"]])
def test_no_upload_of_a_killed_copy_is_left_b15(tmp_path, server, option, changes):
    """After kill -9 the same copy delivers, goes on where it can and that was asked for; the bucket lists no upload."""
    bucket = server.bucket()
    _configure(tmp_path, server, bucket)
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a.bin").write_bytes(CONTENT)
    environ = {**os.environ, "S3_ID": KEY_ID, "S3_SECRET": SECRET}
    copy = [sys.executable, "-m", "crossdock", "copy", "from", "endpoint:far", "--format", "json", *option]

    def uploads():
        return server.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])

    def parts():
        return [
            part
            for upload in uploads()
            for part in server.client.list_parts(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]).get(
                "Parts", []
            )
        ]

    def saved():
        found = [json.loads(path.read_text()) for path in (tmp_path / "data/state/copy").glob("*.json")]
        return parts() and (not option or any(one["checkpoints"] for one in found))

    with subprocess.Popen([*copy, "--bandwidth", "6MiB/s"], cwd=tmp_path, env=environ) as process:
        wait_until(saved, what="a part at the bucket")
        process.kill()
        assert process.wait(20) == -signal.SIGKILL
    assert uploads()
    if changes:
        (tmp_path / "from" / "a.bin").write_bytes(CONTENT)
    done = subprocess.run(copy, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = json.loads(done.stdout)["files"]
    assert (file["size"], file["resumed"] > 0) == (len(CONTENT), bool(option) and not changes)
    assert uploads() == []
    assert server.keys(bucket) == ["in/a.bin"]
