"""Keys of crossdock.yaml whose effect no other test shows: of a transaction, of sessions, and of retention."""

import os
import time

import pytest

from mft_common.events import LocalBus
from tests.servers.diplomat_jobs import dock, finished
from tests.servers.sick_sftp import PASSWORD, USER, Calls, SickSftp

YEAR_MS = 365 * 86_400_000


class Counting(Calls):
    """A server that counts what is read from it."""

    def read(self, file_obj, offset, size):
        """See SFTPServer."""
        self.server.count("reads")
        return super().read(file_obj, offset, size)


class OneRound:
    """The stop of a task that is set after its first round; the pause before it is kept."""

    def __init__(self):
        self.pauses = []

    def wait(self, pause):
        """See Event."""
        self.pauses.append(pause)
        return len(self.pauses) > 1


@pytest.mark.parametrize(("verify", "is_read"), [("sha256", True), ("size", False)])
def test_verify_says_whether_a_file_is_read_back_e20(hub, transaction, tmp_path, verify, is_read):
    """With `sha256` the partner's file is read again before it is visible, with `size` it is not."""
    (tmp_path / "password").write_text(PASSWORD)
    with SickSftp(tmp_path / "far", Counting) as server:
        partner = {
            "url": f"sftp://{USER}@127.0.0.1:{server.port}/",
            "password": {"file": str(tmp_path / "password")},
            "host_key": server.host_key,
        }
        one = transaction("one", destination={"url": "endpoint:far"}, verify=verify)
        made = dock(hub, {"f": bytes(100_000)}, one, endpoints={"far": partner})
        assert finished(made).findtext("completionStatus") == "Successful"
        assert (server.counts.get("reads", 0) > 0) is is_read
    assert (tmp_path / "far/f").stat().st_size == 100_000


def test_min_age_leaves_young_files_alone_and_takes_old_ones(hub, transaction):
    """Of two files the one that has not changed for an hour is moved."""
    made = dock(hub, {"old": b"1", "young": b"2"}, transaction("one", source={"min_age": "1h"}))
    two_hours_ago = time.time() - 7200
    os.utime(made.data / "from" / "old", (two_hours_ago, two_hours_ago))
    job = finished(made)
    assert [one.findtext("source") for one in job.iter("fileHistory")] == ["old"]
    assert job.findtext("filesFound") == "1"


@pytest.mark.parametrize(
    ("sessions", "asked"),
    [
        ({}, (10, 1800.0, None)),
        ({"limit": 3, "idle": "90s", "absolute": "8h"}, (3, 90.0, 28_800.0)),
        ({"idle": None}, (10, None, None)),
    ],
)
def test_sessions_have_the_limits_of_the_configuration_18_a23(hub, transaction, sessions, asked):
    """The directory opens each session with the configured number, idle time and age; there is no age by default."""
    made = hub(transaction("one"), diplomat={"sessions": sessions})
    opened = []
    opening = made.directory.open_session
    made.directory.open_session = lambda **given: opened.append(given) or opening(**given)
    assert made.connect().status == 200
    (given,) = opened
    assert (given["limit"], given["idle"], given["absolute"]) == asked


def _aged(made, count):
    """Run some jobs, and let them have ended and been logged a year and more ago, the first one first."""
    for _ in range(count):
        finished(made)
    with made.service.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE jobs SET ended_at = ended_at - {YEAR_MS}")
        connection.exec_driver_sql(f"UPDATE job_log SET at = at - {YEAR_MS}")


def _round_of(made, name):
    """Run one round of a task of the worker; return the pause before it."""
    tasks = {task.name: task for task in made.service.background_tasks(LocalBus({}))}
    stop = OneRound()
    tasks[name].run(stop)
    return stop.pauses


@pytest.mark.parametrize(
    ("histories", "left"),
    [
        ({}, [3]),
        ({"keep": "1000d"}, [1, 2, 3]),
        ({"keep": None, "keep_newest": None}, [1, 2, 3]),
        ({"keep": None, "keep_newest": 2}, [2, 3]),
    ],
)
def test_histories_are_kept_as_long_as_configured_e41(hub, transaction, histories, left):
    """By age and by number; the first round comes ten minutes after the start, the next ones after a day each."""
    made = dock(hub, {"f": b"x"}, transaction("one"), diplomat={"histories": histories, "logs": {"keep": None}})
    _aged(made, 3)
    assert _round_of(made, "job-purge") == [600, 86_400]
    assert [row.sequence for row in made.rows("SELECT sequence FROM jobs ORDER BY sequence")] == left
    logged = {row.subject for row in made.rows("SELECT DISTINCT subject FROM job_log")}
    assert logged == {str(number) for number in left}


@pytest.mark.parametrize(("keep", "gone"), [("30d", True), ("1000d", False), (None, False)])
def test_logs_are_kept_as_long_as_configured_e41_53(hub, transaction, keep, gone):
    """A job whose log is gone has its history still, and a view of it is 404."""
    made = dock(hub, {"f": b"x"}, transaction("one"), diplomat={"logs": {"keep": keep}, "histories": {"keep": None}})
    _aged(made, 1)
    assert _round_of(made, "job-log-purge") == [600, 86_400]
    assert made.status("one").findtext("jobHistory/sequence") == "0000000000000001"
    view = made.call("logView", ("transactionName", "one"), ("sequence", "1"))
    assert view.status == (404 if gone else 200)
