"""S17: `crossdock scrub` finds contents that differ from what was stored."""

import pytest
from click.testing import CliRunner

from crossdock.command import main
from filestore_svc import bootstrap
from filestore_svc.operations.scrubbing import Scrub
from filestore_svc.settings import Settings
from filestore_svc.store.bucket import Bucket, BucketBlobs, BucketClient
from tests.servers.s3 import KEY_ID, SECRET
from tests.service.filestore_svc.filestore_lab import Lab


def _scrub(data):
    database = Settings(data=str(data)).database
    return CliRunner(env={"FILESTORE_DATABASE_URL": database}).invoke(main, ["scrub", "--data", str(data)])


class Listed(BucketBlobs):
    """A bucket that fails after its listing."""

    def page(self, after, age):
        """List nothing."""
        return [], ""


@pytest.fixture
def stored(lab):
    """Three files, one of them replaced, and their filesets."""
    lab.put("/2.0/files/in/a", b"old")
    return [lab.put(f"/2.0/files/in/{name}", name.encode() * 100).json["fileset"] for name in "abc"]


def _blob(lab, fileset):
    return next(path for path in lab.blobs() if path.name == str(fileset))


def test_a_sound_store(lab, stored, tmp_path):
    """A scrub of sound contents, one of them just replaced, reports none and exits with 0."""
    answer = _scrub(tmp_path)
    assert (answer.exit_code, answer.output) == (0, "3 checked, 0 found\n")


def test_what_is_found(lab, stored, tmp_path):
    """Changed, cut, missing and orphaned contents are reported, none is changed, and the exit code is 1."""
    _blob(lab, stored[0]).write_bytes(b"A" * 100)
    _blob(lab, stored[1]).write_bytes(b"b" * 99)
    _blob(lab, stored[2]).unlink()
    (_blob(lab, stored[0]).parent / "99999").write_bytes(b"x")
    before = lab.blobs()
    answer = _scrub(tmp_path)
    assert answer.exit_code == 1
    assert answer.output.splitlines() == [
        f"mismatch\t{stored[0]}\t/in/a",
        f"mismatch\t{stored[1]}\t/in/b",
        f"missing\t{stored[2]}\t/in/c",
        "orphan\t99999\t",
        "3 checked, 4 found",
    ]
    assert sorted(lab.blobs()) == sorted(before)


def test_a_folder_without_a_hub(tmp_path):
    """The command fails with exit code 2 and creates nothing."""
    answer = _scrub(tmp_path / "nothing")
    assert answer.exit_code == 2
    assert not (tmp_path / "nothing").exists()


def test_a_bucket(s3, tmp_path):
    """A bucket is compared with its rows in the same way."""
    bucket = s3.bucket()
    settings = Settings(
        data=str(tmp_path), bytes_url=f"s3://{bucket}", s3_endpoint=s3.url, s3_key_id=KEY_ID, s3_secret=SECRET
    )
    lab = Lab(tmp_path, settings=settings)
    ids = [lab.put(f"/2.0/files/in/{name}", b"x").json["fileset"] for name in "ab"]
    s3.client.put_object(Bucket=bucket, Key=f"blobs/{ids[0]}", Body=b"y")
    s3.client.put_object(Bucket=bucket, Key="blobs/77777", Body=b"y")
    with bootstrap.scrub(settings) as scrub:
        found = [(each.kind, each.fileset) for each in scrub.findings()]
    assert found == [("mismatch", ids[0]), ("orphan", 77777)]
    lab.close()


def test_a_bucket_that_is_away_is_no_mismatch(lab, stored):
    """Contents that cannot be read are reported as such: an operator must not replace them by those of a backup."""
    away = BucketClient(Bucket(name="x", prefix="", endpoint="http://127.0.0.1:9", key_id=KEY_ID, secret=SECRET))
    scrub = Scrub(lab.service.database, Listed(away))
    assert [(each.kind, each.fileset) for each in scrub.findings()] == [("unreadable", each) for each in stored]
