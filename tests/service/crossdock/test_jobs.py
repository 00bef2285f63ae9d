"""`crossdock transaction list|show|run` and `crossdock job list|show|log|cancel|terminate` over a hub's database."""

import json
import os
import re
import threading

import pytest
from click.testing import CliRunner

from crossdock.command import main
from diplomat_svc.bootstrap import build, child_modules
from diplomat_svc.settings import Settings
from mft_common.process.runner import Runner, child_environment
from tests.servers.processes import wait_until


class _NoDirectory:
    """Stands for the gateway's accounts, which no job asks."""


def _definition(name, **more):
    sides = {"source": {"url": "file:from", "files": ["<%name%>*"]}, "destination": {"url": "file:to"}}
    return {"name": name, "direction": "outbound", **sides, **more}


@pytest.fixture
def service(tmp_path):
    """The service of a hub with a transaction that the API may not run, a slow one, and one without files."""
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "slow.bin").write_bytes(bytes(1 << 20))
    (tmp_path / "from" / "a\x1b[2J.txt").write_bytes(b"hello")
    definitions = [
        _definition("quick", variables={"name": "a"}),
        _definition("slow", variables={"name": "slow"}, bandwidth="64KiB/s"),
        _definition("nothing", fail_if_not_found=True),
        _definition("plain", source={"url": "file:from", "files": ["slow.bin"]}, retries={"file": 0}),
    ]
    with Runner("diplomat-svc", child_modules({}), environment=child_environment(os.environ)) as runner:
        made = build(
            Settings(data=str(tmp_path)), config={"transactions": definitions}, runner=runner, directory=_NoDirectory()
        )
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def worker(service):
    """Run the worker beside the command."""
    stop = threading.Event()
    thread = threading.Thread(target=service.dispatcher().run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def run(service, tmp_path):
    """Run the command on the hub's data folder."""

    def call(*arguments):
        return CliRunner().invoke(main, [*arguments, "--data", str(tmp_path)], catch_exceptions=False)

    return call


def _json(result):
    # The worker of the test logs to the same stream, before the command prints its one line.
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("arguments", [("transaction", "show"), ("transaction", "run"), ("job", "list")])
def test_a_name_that_is_not_utf_8_is_refused(run, arguments):
    """No transaction has such a name: a stack trace ended with the code of a job that failed."""
    result = run(*arguments, "\udcff")
    assert (result.exit_code, result.stderr) == (2, "crossdock: an argument is not UTF-8\n")


def test_transactions_are_listed_and_shown(run):
    """A table for people, objects for programs, and one definition by name or id."""
    result = run("transaction", "list")
    head, *rows = result.stdout.splitlines()
    assert head.split() == ["ID", "NAME", "DIRECTION", "STATE", "LAST", "JOB", "LAST", "END"]
    assert [row.split()[:3] for row in rows] == [
        [str(n), name, "outbound"] for n, name in enumerate(("quick", "slow", "nothing", "plain"), 1)
    ]
    assert [one["job"] for one in _json(run("transaction", "list", "--format", "json"))] == [None] * 4
    assert run("transaction", "show", "quick").stdout == run("transaction", "show", "1").stdout
    assert json.loads(run("transaction", "show", "2").stdout)["bandwidth"] == 64 << 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["transaction", "show", "none"], "there is no transaction none"),
        (["transaction", "run", "none"], "there is no transaction none"),
        (["transaction", "run", "quick", "--var", "name=../x"], "cannot be part of a file's name"),
        (["transaction", "run", "quick", "--var", "nmae=x"], "has no variable nmae: its variables are name"),
        (["transaction", "run", "plain", "--var", "name=x"], "has no variable name: it has none"),
        (["transaction", "run", "quick", "--var", "name"], "is not of the form NAME=VALUE"),
        (["job", "list", "none"], "there is no transaction none"),
        (["job", "show", "7"], "there is no job 7"),
        (["job", "log", "7"], "there is no job 7"),
        (["job", "cancel", "7"], "there is no job 7"),
    ],
)
def test_what_cannot_be_done_is_exit_code_2(run, arguments, message):
    """One line on stderr says why."""
    result = run(*arguments)
    assert (result.exit_code, message in result.stderr) == (2, True), result.output


def test_a_folder_without_a_hub_is_exit_code_2(tmp_path):
    """The command makes no database."""
    result = CliRunner().invoke(main, ["job", "list", "--data", str(tmp_path / "none")])
    assert (result.exit_code, "there is no hub's data" in result.stderr) == (2, True)
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("worker")
def test_a_job_is_run_and_watched_to_its_end(run, tmp_path):
    """The exit code tells the end; the record names the files, the checksums and the user."""
    result = run("transaction", "run", "quick", "--watch", "--format", "json")
    found = _json(result)
    assert (found["status"], found["completion"], found["files_successful"]) == ("Complete", "Successful", 1)
    assert found["label"].startswith("crossdock/")
    assert found["files"][0]["sha256"]
    assert (tmp_path / "to" / "a\x1b[2J.txt").read_bytes() == b"hello"
    assert run("transaction", "run", "quick", "--var", "name=zzz", "--watch").exit_code == 3
    assert run("transaction", "run", "nothing", "--watch").exit_code == 1
    shown = run("job", "show", "1")
    assert "\x1b" not in shown.stdout
    assert "Successful" in shown.stdout
    log = run("job", "log", "1").stdout
    assert log.startswith(">Informational ")
    assert 'Transaction "quick"; Scheduled by request' in log
    records = [json.loads(line) for line in run("job", "log", "1", "--format", "json").stdout.splitlines()]
    assert len(records) * 2 == len(log.splitlines())
    assert [one["sequence"] for one in _json(run("job", "list", "--format", "json"))] == [3, 2, 1]
    assert [one["sequence"] for one in _json(run("job", "list", "quick", "--most", "1", "--format", "json"))] == [2]


@pytest.mark.usefixtures("worker")
def test_the_reason_of_a_job_without_files_is_shown(run):
    """No file failed, because none was found: table and object say so."""
    watched = run("transaction", "run", "nothing", "--watch")
    assert (watched.exit_code, "crossdock: job 1: No file was found.\n" in watched.stderr) == (1, True)
    assert _json(run("job", "show", "1", "--format", "json"))["reason"] == "No file was found."
    assert re.search(r"^reason +No file was found\.$", run("job", "show", "1").stdout, re.MULTILINE)


@pytest.mark.usefixtures("worker")
def test_the_reason_of_a_file_that_failed_is_shown(run, tmp_path):
    """A folder has the name of the file at the destination: table and object say so."""
    (tmp_path / "to" / "slow.bin").mkdir(parents=True)
    assert run("transaction", "run", "plain", "--watch").exit_code == 1
    (file,) = _json(run("job", "show", "1", "--format", "json"))["files"]
    assert (file["completion"], bool(file["description"])) == ("Failure", True)
    shown = run("job", "show", "1")
    assert file["description"] in shown.stdout
    watched = run("job", "show", "1", "--watch")
    assert (watched.exit_code, watched.stdout.endswith(shown.stdout)) == (1, True)


def test_a_delayed_job_is_queued_when_its_time_has_come_69(run, service):
    """It is `Delayed` until the worker's timer queues it; a duration that is none is a wrong use."""
    assert run("transaction", "run", "quick", "--delay", "300ms").stdout == "1\n"
    assert _json(run("job", "show", "1", "--format", "json"))["status"] == "Delayed"
    wait_until(lambda: service.timers().step() == 1)
    assert _json(run("job", "show", "1", "--format", "json"))["status"] == "Queued"
    for wrong in ("soon", "366d"):
        assert run("transaction", "run", "quick", "--delay", wrong).exit_code == 2


def test_a_job_that_waits_is_cancelled(run):
    """Without a worker it waits; after the command it is over, and a second command says so."""
    assert run("transaction", "run", "quick").stdout == "1\n"
    assert [one["status"] for one in _json(run("job", "list", "--unfinished", "--format", "json"))] == ["Queued"]
    assert run("job", "cancel", "1").exit_code == 0
    assert _json(run("job", "show", "1", "--format", "json"))["completion"] == "Cancelled"
    assert _json(run("job", "list", "--unfinished", "--format", "json")) == []
    result = run("job", "terminate", "1")
    assert (result.exit_code, "is over: Cancelled" in result.stderr) == (2, True)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("command", "end"), [("cancel", "Cancelled"), ("terminate", "Terminated")])
def test_a_running_job_is_stopped(run, tmp_path, command, end):
    """The job ends as asked, and nothing of it is at the destination."""
    run("transaction", "run", "slow")
    wait_until(lambda: _json(run("job", "show", "1", "--format", "json"))["status"] == "Running", what="the job")
    assert run("job", command, "1").exit_code == 0
    result = run("job", "show", "1", "--watch", "--format", "json")
    assert (result.exit_code, json.loads(result.stdout.splitlines()[-1])["completion"]) == (1, end)
    assert list(tmp_path.glob("to/*")) == []


def test_a_full_queue_refuses_a_job(tmp_path):
    """The limit is that of the configuration in force."""
    document = {"transactions": [_definition("one")], "diplomat": {"jobs": {"queue_limit": 1}}}
    build(Settings(data=str(tmp_path)), config=document, directory=_NoDirectory()).close()
    arguments = ["transaction", "run", "one", "--data", str(tmp_path)]
    results = [CliRunner().invoke(main, arguments) for _ in range(2)]
    assert [result.exit_code for result in results] == [0, 2]
    assert "queue" in results[1].stderr
