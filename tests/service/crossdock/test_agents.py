"""`crossdock agent list`, `stop` and `start` over a hub's database."""

import json

import pytest
from click.testing import CliRunner

from crossdock.command import main
from mft_common.clock import now_ms
from mft_common.config import Reader
from mqmft_svc.bootstrap import build
from mqmft_svc.domain.agents import LATEST_MS, Status
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.submissions import AgentRequest, Submission
from mqmft_svc.settings import Settings
from mqmft_svc.store import agents as store
from mqmft_svc.store import managed
from tests.servers.made_secrets import secret

CONFIG = {
    "ibm_mq_mft": {
        "coordination_qmgr": "QM1",
        "agents": {
            "QUAY": {"qmgr": "QM1", "root": "file:quay", "description": "Quay side"},
            "BANK": {"qmgr": "QM2", "root": "endpoint:bank/in"},
            "OLD": {"qmgr": "QM1", "root": "filestore:/in"},
        },
    },
    "endpoints": {"bank": {"url": "ftp://hub@ftp.example.org/", "password": {"env": "BANK_PASSWORD"}}},
}


class _NoDirectory:
    """Stands for the gateway's accounts, which are not asked."""


@pytest.fixture
def service(tmp_path):
    """The service of a hub whose secrets the command does not get."""
    settings = Settings(data=str(tmp_path), database_url=f"sqlite:///{tmp_path}/state/mqmft-svc/mqmft.db")
    reader = Reader(tmp_path, {"BANK_PASSWORD": secret("password-of-bank")}, data=tmp_path)
    made = build(settings, directory=_NoDirectory(), config=CONFIG, reader=reader)
    yield made
    made.close()


@pytest.fixture
def run(tmp_path):
    """Run the command on the hub's data folder."""

    def call(*arguments, command="list"):
        given = ["agent", command, *arguments, "--data", str(tmp_path)]
        return CliRunner().invoke(main, given, catch_exceptions=False)

    return call


def test_184_agents_are_listed_with_state_and_reason(service, run):
    """Item 184: those of the applied configuration by name, as a table for people and as objects for programs."""
    at = now_ms()
    findings = {
        "BANK": Status("unreachable", at, "no\x1b[2J answer"),
        "OLD": Status("ready", at - LATEST_MS - 60_000),
    }
    with service.database.write() as connection:
        for name, status in findings.items():
            assert store.update(connection, name, service.section.agents[name].definition, status)
    result = run("--format", "json")
    assert result.exit_code == 0, result.output
    rest = {"qmgr": "QM1", "description": "", "detail": ""}
    assert json.loads(result.stdout) == [
        {
            **rest, "name": "BANK", "type": "protocolBridge", "state": "unreachable", "qmgr": "QM2",
            "root": "endpoint:bank/in", "probed_at": at, "detail": "no\x1b[2J answer",
        },
        {
            **rest, "name": "OLD", "type": "standard", "state": "unknown", "root": "filestore:/in",
            "probed_at": at - LATEST_MS - 60_000,
        },
        {
            **rest, "name": "QUAY", "type": "standard", "state": "starting", "root": "file:quay",
            "description": "Quay side", "probed_at": None,
        },
    ]  # fmt: skip
    head, bank, _, quay = run().stdout.splitlines()
    assert head.split() == ["NAME", "TYPE", "STATE", "QMGR", "ROOT", "PROBED", "REASON"]
    assert bank.split()[:5] == ["BANK", "protocolBridge", "unreachable", "QM2", "endpoint:bank/in"]
    assert "\x1b" not in bank
    assert quay.split() == ["QUAY", "standard", "starting", "QM1", "file:quay", "-", "-"]


def test_184_an_agent_is_active_while_a_transfer_runs(service, run):
    """Item 184: the command shows the state that the API shows."""
    agent = AgentRequest(name="QUAY", qmgr="QM1")
    submission = Submission(source_agent=agent, destination_agent=agent, items=())
    running = Managed(
        id="0" * 48,
        submission=submission,
        account="mftadmin",
        host="hub",
        request_id="r",
        submitted_at=1,
        queued_at=1,
        status="running",
    )
    with service.database.write() as connection:
        store.update(connection, "QUAY", service.section.agents["QUAY"].definition, Status("ready", now_ms()))
        managed.insert(connection, running)
    assert states(run)["QUAY"] == "active"


@pytest.mark.usefixtures("service")
def test_184_an_operator_stops_and_starts_an_agent(run):
    """Item 184: by its name in any case; the list shows it, and a wrong name is refused with exit code 2."""
    assert (run("quay", command="stop").exit_code, states(run)["QUAY"]) == (0, "stopped")
    assert (run("QUAY", command="stop").exit_code, states(run)["QUAY"]) == (0, "stopped")
    assert (run("Quay", command="start").exit_code, states(run)["QUAY"]) == (0, "starting")
    for command in ("stop", "start"):
        result = run("QUAI", command=command)
        assert (result.exit_code, "no agent 'QUAI'" in result.stderr) == (2, True)


def states(run):
    """Return the states of the agents by their names."""
    return {one["name"]: one["state"] for one in json.loads(run("--format", "json").stdout)}


def test_a_folder_without_a_hub_is_refused(run, tmp_path):
    """The command makes no file where no hub was ever started, and where it has no such database."""
    result = run()
    assert (result.exit_code, "no hub's data" in result.stderr) == (2, True)
    (tmp_path / "state").mkdir()
    result = run()
    assert (result.exit_code, "start the hub once" in result.stderr) == (2, True)
    assert list((tmp_path / "state").iterdir()) == []
