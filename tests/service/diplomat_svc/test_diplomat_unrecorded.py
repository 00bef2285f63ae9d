"""A worker that is killed between the rename of a file and the commit of its end (E18)."""

import hashlib

import pytest

from tests.servers.diplomat_jobs import archive_of, log
from tests.servers.processes import wait_until
from tests.service.diplomat_svc.worker_program import kill, start_worker

CONTENT = b"0123456789abcdef" * 2_500


@pytest.fixture
def delivered(hub, transaction):
    """Return a hub whose worker was killed right after it had delivered a file, before that was written down."""
    move = transaction("move", bandwidth="64KiB/s", delete_source=True)
    made = hub(move).log_in()
    made.config = {"transactions": [move], "diplomat": {"display_name": "dock-1"}}
    (made.data / "from" / "f").write_bytes(CONTENT)
    worker = start_worker(made)
    try:
        made.run("move")
        wait_until(lambda: made.rows("SELECT 1 FROM files WHERE temporaries <> '[]'"), every=0.002)
        # With the lock of the database held, the worker cannot write what its child reports.
        with made.service.database.write():
            wait_until((made.data / "to" / "f").exists)
            kill(worker)
    finally:
        kill(worker)
    return made


def found(made):
    """Recover, and return what the job's log says of the file behind the first notice."""
    with made.work():
        made.ready()
        (row,) = wait_until(lambda: made.rows("SELECT completion FROM jobs WHERE status = 'Complete'"))
        assert row.completion == "Incomplete"
        wait_until(lambda: not made.rows("SELECT 1 FROM sweeps"))
    texts = [row.text for row in made.rows("SELECT text FROM job_log ORDER BY id")]
    assert any("it may be there, and then whole" in text for text in texts)
    return texts[-1].removeprefix('Transaction "move"; ')


def test_the_log_says_that_the_file_is_there_with_the_right_checksum_e18(delivered):
    """The source is still there, because its delivery was not recorded (E24)."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert found(delivered) == f"f was delivered as f: the file is there with the SHA-256 {digest} of its source."
    assert (delivered.data / "from" / "f").read_bytes() == (delivered.data / "to" / "f").read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[::-1], b"shorter"])
def test_the_log_says_that_another_file_is_there_e18(delivered, content):
    """By its size, or by its checksum."""
    (delivered.data / "to" / "f").write_bytes(content)
    assert found(delivered).startswith("f at the destination is not f as it is: another file")


def test_the_log_says_that_no_file_is_there_e18(delivered):
    """The destination took it away meanwhile."""
    (delivered.data / "to" / "f").unlink()
    assert found(delivered) == "f was not delivered: there is no f at the destination."


def test_the_log_says_that_the_source_is_gone_e18(delivered):
    """Then the two cannot be compared."""
    (delivered.data / "from" / "f").unlink()
    assert "f is gone, so that the two cannot be compared" in found(delivered)


def test_of_an_archive_that_was_being_unpacked_the_log_tells_what_is_known_of_its_members_e18(hub, transaction):
    """No file has the archive's name at the destination: that it is not there says nothing of its members."""
    unzip = transaction("unzip", direction="inbound", compress={"unzip": True}, bandwidth="64KiB/s")
    made = hub(unzip).log_in()
    made.config = {"transactions": [unzip]}
    (made.data / "from" / "x.zip").write_bytes(archive_of({"a": b"a", "f": CONTENT}))
    worker = start_worker(made)
    try:
        made.run("unzip")
        wait_until(lambda: list((made.data / "to").glob(".f.*.part")))
    finally:
        kill(worker)
    with made.work():
        made.ready()
        wait_until(lambda: not made.rows("SELECT 1 FROM sweeps"))
    told = [text for text in log(made) if "x.zip" in text]
    assert [text.removeprefix('Transaction "unzip"; ').partition(":")[0] for text in told] == [
        "Delivered a of x.zip as a",
        "x.zip was being unpacked; a member that this log does not name may be there as well.",
    ]
