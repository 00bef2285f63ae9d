"""Jobs whose unfinished files have very many names, more than one message to a process holds (E27, E38)."""

import json

import pytest

from tests.servers.diplomat_jobs import archive_of, log, tree
from tests.servers.processes import wait_until
from tests.service.diplomat_svc.cut_attempts import attempt

# With these names alone an order for a process would have 5 MiB.
COUNT = 40_000


@pytest.fixture
def left(later):
    """Return a hub whose job waits for its second attempt, with the names of files that the first one has left."""
    made = later({"a": b"a"})
    (made.data / "to" / "a").mkdir()
    with made.work():
        attempt(made, 1, later)
    (job,) = made.rows("SELECT sequence, transfer_id FROM jobs")
    token = f"{job.sequence:016}{job.transfer_id[-16:]}"
    names = [f".{number:0>80}.{token}.part" for number in range(COUNT)]
    with made.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE files SET temporaries = ?", (json.dumps(names),))
    for name in (names[0], names[-1]):
        (made.data / "to" / name).write_bytes(b"a part")
    return made


def test_the_attempt_after_one_that_left_very_many_files_runs_and_removes_them_e27(left, later):
    """Their names go to the process of the job in pages."""
    (left.data / "to" / "a").rmdir()
    later.now[0] += 700_000
    with left.work():
        assert left.finished("one").findtext("completionStatus") == "Successful", log(left)
    assert tree(left.data / "to") == {"a": b"a"}
    assert left.rows("SELECT 1 FROM sweeps") == []


def test_very_many_files_of_a_job_that_is_stopped_are_removed_e27(left, later):
    """Its sweep gets the names in pages too."""
    assert left.call("cancel", ("transactionName", "one")).status == 200
    assert left.rows("SELECT sequence FROM sweeps") == [(1,)]
    with left.work():
        wait_until(lambda: not left.rows("SELECT 1 FROM sweeps"))
    assert tree(left.data / "to") == {}


def test_the_record_of_an_archive_has_no_names_of_members_that_are_delivered_e35(later):
    """Each write of the record is small, however many members there are."""
    files = {"x.zip": archive_of({f"{number:03}": b"m" for number in range(100)})}
    made = later(files, direction="inbound", compress={"unzip": True})
    (made.data / "to" / "099").mkdir()
    with made.service.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE lengths (size INTEGER)")
        connection.exec_driver_sql(
            "CREATE TRIGGER grows AFTER UPDATE OF temporaries ON files BEGIN "
            "INSERT INTO lengths VALUES (json_array_length(NEW.temporaries)); END"
        )
    with made.work():
        attempt(made, 1, later)
        (made.data / "to" / "099").rmdir()
        later.now[0] += 700_000
        assert made.finished("one").findtext("completionStatus") == "Successful", log(made)
    assert made.rows("SELECT temporaries FROM files") == [("[]",)]
    assert made.rows("SELECT max(size) FROM lengths")[0][0] <= 2
