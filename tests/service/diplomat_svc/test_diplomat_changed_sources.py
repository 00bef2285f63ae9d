"""Sources that change, come or go between the attempts of a job: no end and no record is untrue (E14, E23, E26)."""

import contextlib
import os

import pytest

from mft_common.errors import Unavailable
from tests.servers.diplomat_jobs import archive_of, log, tree
from tests.servers.processes import wait_until
from tests.service.diplomat_svc.cut_attempts import (
    BOTH,
    LARGE,
    RETRIES,
    SEQUENCE,
    SLOW,
    attempt,
    configured,
    kill_worker,
    next_attempt,
    part_in,
)
from tests.service.diplomat_svc.worker_program import kill, start_worker

ONE_NAME = {"files": "out.csv"}


@pytest.mark.parametrize("unzip", [False, True])
def test_a_file_that_came_since_does_not_replace_that_of_an_earlier_attempt_e26(hub, transaction, runner, unzip):
    """All files have one name at the destination: the second one is left to the next job."""
    more = {"direction": "inbound", "compress": {"unzip": True}} if unzip else {}
    files = [archive_of({"m": content}) if unzip else content for content in (LARGE, b"b")]
    made = configured(hub, {"large": files[0]}, transaction("one", archive=BOTH, destination=ONE_NAME, **more, **SLOW))
    kill_worker(made, runner, lambda: part_in(made.data / "archive" / "originals"))
    (made.data / "from" / "b").write_bytes(files[1])
    assert next_attempt(made) == "Successful", log(made)
    assert tree(made.data / "to") == {"out.csv": LARGE}
    assert tree(made.data / "from") == {"b": files[1]}
    assert any("b was left where it is: the file of an earlier attempt has its name" in text for text in log(made))


@pytest.mark.parametrize("came", ["new", "f000"])
def test_a_file_that_came_since_replaces_no_packed_archive_whose_sources_are_deleted_e24_e26(
    hub, transaction, runner, came
):
    """The worker was killed once all sources of the archive were deleted, and before the job had its end."""
    files = {f"f{number:03}": b"x" for number in range(300)}
    one = transaction("one", retries=RETRIES, delete_source=True, compress={"zip": "x.zip"})
    made = configured(hub, files, one)
    source = made.data / "from"
    worker = start_worker(made)
    try:
        made.run("one")
        wait_until(lambda: len(list(source.iterdir())) < len(files), every=0.001, what="the first deletion")
        # With the lock of the database held, the worker cannot write the end.
        with made.service.database.write():
            wait_until(lambda: not list(source.iterdir()), what="the last deletion")
            kill(worker)
    finally:
        kill(worker)
    archive = (made.data / "to" / "x.zip").read_bytes()
    (source / came).write_bytes(b"newer")
    assert next_attempt(made) == "Successful", log(made)
    assert tree(made.data / "to") == {"x.zip": archive}
    assert tree(source) == {came: b"newer"}
    text = f"{came} was left where it is: the archive of an earlier attempt is delivered."
    assert any(text in one for one in log(made))


def test_a_new_version_of_the_only_file_is_delivered_b17(hub, transaction, runner):
    """It replaces the former version, as it would in the next job; the log says that this was not archived."""
    made = configured(hub, {"large": LARGE}, transaction("one", archive=BOTH, destination=ONE_NAME, **SLOW))
    kill_worker(made, runner, lambda: part_in(made.data / "archive" / "originals"))
    (made.data / "from" / "large").write_bytes(b"another version")
    assert next_attempt(made) == "Successful", log(made)
    assert tree(made.data / "to") == {"out.csv": b"another version"}
    assert any("large has changed since an earlier attempt delivered it; not all copies" in text for text in log(made))


def test_a_packed_file_that_changed_before_its_copy_was_made_is_a_warning_e30_e36(hub, transaction, runner):
    """The new version is left to the next job, and what was delivered of the file is in no archive."""
    archive = {"primary": BOTH["primary"]}
    one = transaction("one", archive=archive, compress={"zip": "x.zip"}, **SLOW)
    made = configured(hub, {"a": b"a", "large": LARGE}, one)
    kill_worker(made, runner, lambda: part_in(made.data / "archive" / "originals"))
    (made.data / "from" / "large").write_bytes(b"another version")
    assert next_attempt(made) == "Warning", log(made)
    with made.work():
        wait_until(lambda: not made.rows("SELECT 1 FROM sweeps"))
    assert tree(made.data / "archive") == {f"originals/a-{SEQUENCE}": b"a"}
    assert tree(made.data / "from") == {"large": b"another version"}
    (job,) = made.rows("SELECT reason FROM jobs")
    assert "large has changed since an earlier attempt delivered it; not all copies of that are archived" in job.reason


@pytest.mark.parametrize("keep", [True, False])
def test_names_that_are_stored_alike_are_told_apart_a60(later, keep):
    """Neither is delivered twice, and both count: their bytes are no UTF-8, and stored as the same character."""
    made = later({}, delete_source=not keep)
    names = [os.fsdecode(name) for name in (b"\xfd", b"\xfe", b"\xff", b"z")]
    for name in names:
        (made.data / "from" / name).write_bytes(os.fsencode(name))
    for name in names[1::2]:
        (made.data / "to" / name).mkdir()
    with made.work():
        attempt(made, 1, later)
        for path in (made.data / "to").iterdir():
            path.unlink() if path.is_file() else path.rmdir()
        later.now[0] += 700_000
        job = made.finished("one")
    assert job.findtext("completionStatus") == "Successful", log(made)
    assert [job.findtext(f"files{word}") for word in ("Found", "Successful", "Failed")] == ["4", "4", "0"]
    assert sorted(path.name for path in (made.data / "to").iterdir()) == sorted(names[1::2])


def test_files_that_are_gone_have_their_ends_also_where_the_database_was_away(later):
    """The report of what was found is repeated: it writes the failure of the one and the warning of the other."""
    made = later({"a": b"a", "b": b"b"}, archive=BOTH)
    (made.data / "to" / "b").mkdir()
    (made.data / "archive").mkdir()
    (made.data / "archive" / "originals").write_bytes(b"a file where a folder should be")
    with made.work():
        attempt(made, 1, later)
    with made.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE files SET completion = NULL, ended_at = NULL WHERE source = 'b'")
        connection.exec_driver_sql("UPDATE files SET completion = 'Successful', description = '' WHERE source = 'a'")
        connection.exec_driver_sql("UPDATE jobs SET failed = 0, warnings = 0")
    for name in "ab":
        (made.data / "from" / name).unlink()
    refused = refuse_once(made.service.database, "%is gone since an earlier attempt%")
    later.now[0] += 700_000
    with made.work():
        attempt(made, 2, later)
    assert refused == [True]
    rows = made.rows("SELECT source, completion, description FROM files ORDER BY source")
    assert [(row.source, row.completion, "is gone since" in row.description) for row in rows] == [
        ("a", "Warning", True),
        ("b", "Failure", True),
    ]
    (job,) = made.rows("SELECT found, successful, failed, warnings FROM jobs")
    assert tuple(job) == (2, 1, 1, 1)
    assert sum("is gone since an earlier attempt" in text for text in log(made)) == 2


def refuse_once(database, pattern):
    """Let the database refuse the first commit of a text of this pattern for a log; return a list, empty before."""
    write, refused = database.write, []

    @contextlib.contextmanager
    def refusing():
        with write() as connection:
            yield connection
            found = connection.exec_driver_sql("SELECT 1 FROM job_log WHERE text LIKE ?", (pattern,)).first()
            if found is not None and not refused:
                refused.append(True)
                raise Unavailable("the database is away")

    database.write = refusing
    return refused
