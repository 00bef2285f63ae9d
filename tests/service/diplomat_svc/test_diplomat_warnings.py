"""Jobs whose files arrive, and at whose destination something went wrong: a Warning that keeps the source (74, E24)."""

import os
import zipfile

import pytest

from tests.servers.made_secrets import secret
from tests.servers.simple_s3 import SimpleS3
from tests.servers.web import Web

# Larger than a part, so that a file is a multipart upload: one of known size, and one that is made on its way.
LARGE, LARGER = (8 << 20) + 1, (32 << 20) + 1


@pytest.fixture
def store():
    """A store that can be told to fail."""
    return SimpleS3()


@pytest.fixture
def made(hub, transaction, store, tmp_path):
    """A hub whose transactions move files into the store, also by way of zip, and delete them at their source."""
    (tmp_path / "secret").write_text(secret("secret-of-a-failing-store"))
    with Web(store) as server:
        reference = {"file": str(tmp_path / "secret")}
        endpoint = {"url": "s3://bucket/in", "endpoint": server.url, "key_id": reference, "secret": reference}
        more = {"destination": {"url": "endpoint:bucket"}, "delete_source": True}
        transactions = (
            transaction("one", **more),
            transaction("pack", compress={"zip": "all.zip"}, **more),
            transaction("unpack", direction="inbound", compress={"unzip": True}, **more),
        )
        yield hub(*transactions, endpoints={"bucket": endpoint}).log_in()


def _run(made, name="one"):
    with made.work():
        made.run(name)
        job = made.finished(name)
    ends = [job.findtext("completionStatus"), *(one.findtext("completionStatus") for one in job.iter("fileHistory"))]
    return ends, "\n".join(row.text for row in made.rows("SELECT text FROM job_log"))


def _first_try_fails(store):
    """Let the parts of the first upload arrive with another size."""

    def second_try(_number):
        if store.calls.count("create") > 1:
            store.alter_part = b""

    store.alter_part, store.before_part = b"more", second_try


@pytest.mark.parametrize(("name", "size"), [("one", LARGE), ("pack", LARGER), ("unpack", LARGE)])
def test_a_partial_upload_that_cannot_be_removed_is_a_warning_74_e24_e30(made, store, name, size):
    """The first try arrives with another size and its upload cannot be aborted; the second one is whole."""
    file = made.data / "from" / "large"
    file.write_bytes(os.urandom(size))
    if name == "unpack":
        with zipfile.ZipFile(made.data / "archive", "w") as archive:
            archive.write(file, "large")
        (made.data / "archive").rename(file)
    _first_try_fails(store)
    store.refuse = {"abort": 403}
    ends, log = _run(made, name)
    assert ends == ["Warning"] * 2
    assert "an unfinished upload of an earlier try could not be removed" in log
    assert (made.data / "from" / "large").exists()
    assert len(store.objects) == 1
    assert store.uploads == {}, "the sweep at the end of the job has removed it"


def test_a_partial_upload_that_is_removed_is_none_74(made, store):
    """The same two tries with a store that aborts: the job is successful and the source goes."""
    (made.data / "from" / "large").write_bytes(os.urandom(LARGE))
    _first_try_fails(store)
    assert _run(made)[0] == ["Successful"] * 2
    assert not (made.data / "from" / "large").exists()


def test_an_end_of_an_upload_that_cannot_be_checked_is_a_warning_74_a47_e24_e30(made, store):
    """The object is there, and the store refuses to tell what it has stored; the file counts as successful."""
    (made.data / "from" / "small").write_bytes(b"small")
    store.opaque, store.always_refuse = True, {"head": 403}
    ends, log = _run(made)
    assert ends == ["Warning"] * 2
    assert "After the delivery of small: " in log
    assert (made.data / "from" / "small").exists()
    assert [one.body for one in store.objects.values()] == [b"small"]
    counts = [made.status("one").findtext(f"jobHistory/files{name}") for name in ("Found", "Successful", "Failed")]
    assert counts == ["1", "1", "0"]
