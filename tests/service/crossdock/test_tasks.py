"""`crossdock task list|show|log|pause|resume` over the database of a hub."""

import json

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from crossdock.command import main
from crossdock.protector import call
from crossdock.tasks import opened
from sertainty_svc.bootstrap import build
from sertainty_svc.settings import Settings
from sertainty_svc.store import logs, tasks
from sertainty_svc.store.tables import OUTBOX, TASK_LOG, agent, task
from tests.servers.task_documents import document
from tests.servers.task_documents import task as element


class _NoDirectory:
    """Stands for the gateway's accounts, which no command asks."""


@pytest.fixture
def service(tmp_path):
    """The service of a hub whose agent runs, with an active configuration of two tasks, and another one."""
    state = tmp_path / "state" / "sertainty-svc"
    state.mkdir(parents=True)
    settings = Settings(data=str(tmp_path), database_url=f"sqlite:///{state}/sertainty.db")
    made = build(settings, config={"data_protector": {"folders": ["tasks"]}}, directory=_NoDirectory())
    functions = made.operations.functions
    for name in ("night", "day"):
        call(functions["configCreate"], config_name=name)
    documents = {"night": document(element("ship"), element("seal", type="Time")), "day": document(element("ship"))}
    for name, contents in documents.items():
        call(functions["configSaveTasks"], config_name=name, tasks_contents=contents)
    call(functions["configActivate"], config_name="night")
    with made.database.write() as connection:
        connection.execute(agent.update().values(running=True, enabled=True, beat_at=1 << 50))
    yield made
    made.close()


@pytest.fixture
def run(service, tmp_path):
    """Run the command on the hub's data folder."""
    return lambda *arguments: CliRunner().invoke(main, ["task", *arguments, "--data", str(tmp_path)])


def found(result):
    """Return the JSON of a command that has succeeded."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def changes(service):
    """Return the changes of tasks that the outbox reports, with their statuses."""
    with service.database.read() as connection:
        rows = connection.execute(sa.select(OUTBOX.table.c.data).order_by(OUTBOX.table.c.position)).scalars()
        data = list(map(json.loads, rows))
    return [(one["task"], one["change"], one["status"]) for one in data if one["change"] != "saved"]


def test_the_tasks_are_listed_with_their_status(run):
    """Those of all configurations by name, or of one, in the order of its document; idle where it is not active."""
    listed = found(run("list", "--format", "json"))
    assert [(one["configuration"], one["name"], one["status"]) for one in listed] == [
        ("day", "ship", "Idle"),
        ("night", "ship", "Waiting"),
        ("night", "seal", "Waiting"),
    ]
    assert [one["name"] for one in found(run("list", "night", "--format", "json"))] == ["ship", "seal"]
    lines = run("list", "day").stdout.splitlines()
    assert lines[0].split() == [
        *("CONFIGURATION", "TASK", "TYPE", "ACTION", "STATUS", "RUNS", "ERRORS", "ENDED", "ERROR"),
    ]
    assert lines[1].split() == ["day", "ship", "Change", "Copy", "Idle", "0", "0", "-", "-"]


def test_a_task_is_shown_with_statistics_and_definition(run, service):
    """Texts from elsewhere cannot break a line."""
    values = {"exec_count": 7, "error_count": 2, "error": "no\nroom", "failed": True, "ended_at": 1_780_000_000_000}
    with service.database.write() as connection:
        tasks.update(connection, tasks.by_names(connection, "night", "ship").id, **values)
    shown = found(run("show", "night", "ship", "--format", "json"))
    assert (shown["executions"], shown["errors"], shown["status"], shown["error"]) == (7, 2, "Error", "no\nroom")
    assert shown["definition"]["folders"]["source"] == "in"
    lines = dict(line.split(maxsplit=1) for line in run("show", "night", "ship").stdout.splitlines())
    assert (lines["status"], lines["ended_at"], lines["started_at"]) == ("Error", "2026-05-28T20:26:40Z", "-")
    assert "\n" not in lines["error"]
    assert lines["error"].startswith("no")
    assert [lines[name] for name in ("paused", "type", "description", "executions")] == ["no", "Change", "-", "7"]
    assert json.loads(lines["folders"])["source"] == "in"


def test_a_log_is_printed_with_executions_files_and_streams(run, service):
    """One line an entry, also of one with control characters; older entries that were deleted are counted."""
    with service.database.write() as connection:
        subject = tasks.by_names(connection, "night", "ship").log
        logs.append_to_task(connection, subject, 3, 1_780_000_000_000, "copied", file="crate.bin")
        logs.append_to_task(connection, subject, 4, 1_780_000_001_000, "a\x1b[2J\nb", level="Warning", stream="stderr")
    lines = run("log", "night", "ship").stdout.splitlines()
    assert lines[0] == "2026-05-28T20:26:40Z Info #3 crate.bin copied"
    assert lines[1].startswith("2026-05-28T20:26:41Z Warning #4 [stderr] a")
    assert "\x1b" not in lines[1]
    with service.database.write() as connection:
        logs.append_to_task(connection, subject, 5, 1_780_000_002_000, "b: exists already.", level="Error", file="b")
    assert run("log", "night", "ship").stdout.splitlines()[2] == "2026-05-28T20:26:42Z Error #5 b exists already."
    with service.database.write() as connection:
        connection.execute(TASK_LOG.records.update().values(dropped=12).where(TASK_LOG.records.c.id == 1))
    entries = [json.loads(line) for line in run("log", "night", "ship", "--format", "json").stdout.splitlines()]
    assert [(one["dropped"], one["text"], one["stream"]) for one in entries] == [
        (12, "", ""),
        (0, "a\x1b[2J\nb", "stderr"),
        (0, "b: exists already.", ""),
    ]
    assert run("log", "night", "ship").stdout.splitlines()[0].endswith("12 older entries were deleted")
    assert run("log", "day", "ship").stdout == ""


def test_a_task_is_paused_and_resumed(run, service):
    """Once more is no error and changes nothing; the event and the agent's log tell each change."""
    for command in ("pause", "pause", "resume", "resume"):
        result = run(command, "night", "ship")
        assert (result.exit_code, result.output) == (0, "")
    assert changes(service) == [("ship", "paused", "Paused"), ("ship", "resumed", "Waiting")]
    assert run("pause", "night", "*").exit_code == 0
    assert [one["status"] for one in found(run("list", "--format", "json"))] == ["Idle", "Paused", "Paused"]
    assert run("resume", "night", "*").exit_code == 0
    with service.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).where(task.c.paused)).scalar_one() == 0


def test_what_is_not_there_is_refused_with_its_name(run, tmp_path):
    """Exit code 2 and one line; a name is compared exactly."""
    for arguments, reason in (
        (("list", "evening"), "there is no configuration evening"),
        (("show", "evening", "ship"), "there is no configuration evening"),
        (("show", "night", "SHIP"), "the configuration night has no task SHIP"),
        (("log", "night", "*"), "the configuration night has no task *"),
        (("pause", "day", "seal"), "the configuration day has no task seal"),
        (("resume", "evening", "*"), "there is no configuration evening"),
        (("show", "night", "\udcff"), "an argument is not UTF-8"),
    ):
        result = run(*arguments)
        assert (result.exit_code, result.output) == (2, f"crossdock: {reason}\n"), arguments
    result = CliRunner().invoke(main, ["task", "list", "--data", str(tmp_path / "nowhere")])
    assert (result.exit_code, "there is no hub's data in" in result.output) == (2, True)


def test_a_log_that_is_shown_slowly_holds_no_version_of_the_database(service, tmp_path):
    """A pager that shows the first lines for an hour does not let the hub's log of changes grow meanwhile."""
    with service.database.write() as connection:
        subject = tasks.by_names(connection, "night", "ship").log
        for number in range(3):
            logs.append_to_task(connection, subject, 1, 1_780_000_000_000, f"line {number}")
    with opened(tmp_path, {}) as access:
        shown = access.log("night", "ship")
        assert next(shown).text == "line 0"
        with service.database.engine.connect() as connection:
            assert connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0] == 0
        assert [one.text for one in shown] == ["line 1", "line 2"]
