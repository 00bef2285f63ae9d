"""A configuration that is applied while a worker runs: it holds for each job that begins afterwards (section 6.4)."""

import pytest

from tests.servers.processes import wait_until


@pytest.fixture
def outside(tmp_path_factory):
    """A folder that is not below the data folder: jobs reach it only where `allowed_folders` names it."""
    return tmp_path_factory.mktemp("outside")


def test_a_running_worker_reaches_a_folder_that_was_allowed_later(hub, transaction, outside):
    """A job to a newly allowed folder is run by the worker that was there before."""
    first = hub(transaction("one")).log_in()
    (first.data / "from" / "f").write_bytes(b"x")
    with first.work():
        first.ready()
        to_outside = transaction("one", destination={"url": f"file:{outside}"})
        hub(to_outside, allowed_folders=[str(outside)])
        first.run("one")
        assert first.finished("one").findtext("completionStatus") == "Successful"
    assert (outside / "f").read_bytes() == b"x"


def test_a_folder_that_is_withdrawn_stays_open_to_the_job_that_runs_and_to_no_later_one(hub, transaction, outside):
    """The running job delivers; the job that waits behind it fails, because it begins after the change."""
    slow = transaction("slow", destination={"url": f"file:{outside}"}, bandwidth="100KiB/s")
    first = hub(slow, allowed_folders=[str(outside)]).log_in()
    (first.data / "from" / "f").write_bytes(bytes(100 * 1024))
    with first.work():
        first.run("slow")
        first.run("slow")
        wait_until(lambda: list(outside.iterdir()))
        hub(transaction("another"))
        wait_until(lambda: not first.rows("SELECT sequence FROM jobs WHERE status <> 'Complete'"))
    ends = first.rows("SELECT completion FROM jobs ORDER BY sequence")
    assert [row.completion for row in ends] == ["Successful", "Failure"]


def test_a_running_worker_takes_the_new_number_of_jobs_at_once(hub, transaction):
    """`jobs.at_once` is raised while the worker is busy, and a second job begins beside the first."""
    jobs = [transaction(name, source={"files": ["f"]}, bandwidth="5KiB/s") for name in ("a", "b")]
    first = hub(*jobs, diplomat={"jobs": {"at_once": 1, "lease": "6s", "stop_grace": "0s"}}).log_in()
    (first.data / "from" / "f").write_bytes(bytes(200 * 1024))
    with first.work():
        first.run("a")
        first.run("b")
        wait_until(lambda: first.status("a").findtext("jobHistory/status") == "Running")
        assert first.status("b").findtext("jobHistory/status") == "Queued"
        hub(*jobs, diplomat={"jobs": {"at_once": 2, "lease": "6s", "stop_grace": "0s"}})
        wait_until(lambda: first.status("b").findtext("jobHistory/status") == "Running")
        assert first.status("a").findtext("jobHistory/status") == "Running"
