"""`crossdock monitor list|create|delete|history` over a hub's database."""

import json

import pytest
from click.testing import CliRunner

from crossdock.command import main
from mft_common.config import Reader
from mqmft_svc.bootstrap import build
from mqmft_svc.settings import Settings
from tests.servers.monitor_bodies import body, config


class _NoDirectory:
    """Stands for the gateway's accounts, which are not asked."""


@pytest.fixture
def service(tmp_path):
    """The service of a hub with two agents over folders."""
    settings = Settings(data=str(tmp_path), database_url=f"sqlite:///{tmp_path}/state/mqmft-svc/mqmft.db")
    made = build(settings, directory=_NoDirectory(), config=config(), reader=Reader(tmp_path, {}, data=tmp_path))
    yield made
    made.close()


@pytest.fixture
def run(service, tmp_path):
    """Run a subcommand on the hub's data folder."""

    def call(*arguments, given=None):
        line = ["monitor", *arguments, "--data", str(tmp_path)]
        return CliRunner().invoke(main, line, catch_exceptions=False, input=given)

    return call


def create(run, **changes):
    """Create a monitor from standard input."""
    done = run("create", "-", given=json.dumps(body(**changes)))
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_185_186_a_monitor_is_created_and_listed(run, tmp_path):
    """Items 185, 186: from a file or standard input; as a table for people and as the REST API's documents."""
    file = tmp_path / "body.json"
    file.write_text(json.dumps(body("one", triggerCondition={"type": "matchAll", "includePattern": "*.csv"})))
    assert run("create", str(file)).output == "ONE\n"
    assert create(run, name="two", agentName="YARD") == "TWO"
    lines = run("list").output.splitlines()
    assert lines[0].split() == ["NAME", "AGENT", "TYPE", "STATE", "CONDITION", "PATTERN", "RESOURCE", "EVERY"]
    assert lines[1].split() == ["ONE", "QUAY", "directory", "started", "matchAll", "*.csv", "in", "1", "seconds"]
    assert lines[2].split()[:2] == ["TWO", "YARD"]
    found = json.loads(run("list", "--agent", "y*", "--format", "json").output)
    assert [(one["name"], one["general"]["matchesPerTask"]) for one in found] == [("TWO", 1)]
    assert json.loads(run("list", "--name", "o*", "--state", "stopped", "--format", "json").output) == []


def test_189_a_monitor_and_its_history_are_deleted(run):
    """Item 189: by name, and by agent where it is needed."""
    create(run)
    create(run, agentName="YARD")
    refused = run("delete", "watch")
    assert (refused.exit_code, "QUAY, YARD" in refused.output) == (2, True)
    assert run("history", "watch", "--agent", "quay", "--delete").exit_code == 0
    assert run("delete", "watch", "--agent", "quay", "--qmgr", "qm1").exit_code == 0
    assert run("delete", "watch").exit_code == 0
    assert len(run("list").output.splitlines()) == 1
    for arguments in (("delete", "watch"), ("history", "watch", "--delete"), ("history", "watch")):
        assert run(*arguments).exit_code == 2


def test_186_what_is_refused_has_its_reason(run, tmp_path):
    """Exit code 2, and one line on stderr."""
    for changes, word in (({"agentName": "NONE"}, "NONE"), ({"type": "x"}, "'type'"), ({"name": "a*"}, "a*")):
        done = run("create", "-", given=json.dumps(body(**changes)))
        assert (done.exit_code, word in done.output, done.output.count("\n")) == (2, True, 1)
    assert run("create", "-", given="[]").exit_code == 2
    assert run("create", str(tmp_path / "none.json")).exit_code == 2
    done = CliRunner().invoke(main, ["monitor", "list", "--data", str(tmp_path / "empty")])
    assert done.exit_code == 2
