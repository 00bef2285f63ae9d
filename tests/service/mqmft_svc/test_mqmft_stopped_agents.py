"""An agent that an operator has stopped begins no transfers until it is started, over both kinds of database (184)."""

import pytest

from mft_common.clock import now_ms
from mqmft_svc.domain.agents import Status
from mqmft_svc.store import agents as store
from mqmft_svc.store import managed
from tests.service.mqmft_svc.managed_hub import (
    AGENTS,
    ended,
    files,
    hub,
    make,
    peer,
    recorded,
    row,
    state,
    submit,
    worker,
)

__all__ = ["hub", "make", "peer", "recorded"]


def stop_agent(hub, name):
    """Stop an agent, as an operator does."""
    with hub.service.database.write() as connection:
        assert store.stop(connection, name, now_ms())


def start_agent(hub, name):
    """Start an agent."""
    with hub.service.database.write() as connection:
        assert store.start(connection, name)


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("name", ["QUAY", "YARD"])
def test_184_transfers_of_a_stopped_agent_wait_until_it_is_started(hub, tmp_path, name):
    """Item 184: on either side. A later transfer between other agents passes the one that waits."""
    (tmp_path / "quay/a").write_bytes(b"a")
    (tmp_path / "yard/b").write_bytes(b"b")
    stop_agent(hub, name)
    waiting = submit(hub, ("a", "waited"))
    other = ("QUAY", "a") if name == "YARD" else ("YARD", "b")
    passing = submit(hub, (other[1], "passed"), source=other[0], destination=other[0])
    with worker(hub):
        assert ended(hub, passing)["status"]["state"] == "successful"
        assert row(hub, waiting).status == "queued"
        with hub.service.database.read() as connection:
            assert not managed.any_due(connection, now_ms())
        start_agent(hub, name)
        assert ended(hub, waiting)["status"]["state"] == "successful"
    assert files(tmp_path / "yard")["waited"] == b"a"


def test_184_an_agent_is_stopped_whatever_its_probe_finds_and_its_definition_is(hub, make):
    """Item 184: the state outlives probes, and a configuration that moves the agent; it goes with the agent."""
    stop_agent(hub, "QUAY")
    with hub.service.database.write() as connection:
        store.update(connection, "QUAY", hub.service.section.agents["QUAY"].definition, Status("ready", now_ms()))
    assert state(hub, "QUAY") == "stopped"
    assert [one["name"] for one in hub.agents("?state=stopped").json["agent"]] == ["QUAY"]
    moved = make({**AGENTS, "QUAY": {"qmgr": "QM1", "root": "file:elsewhere"}})
    # The process that still has the former configuration sees it too.
    assert (state(moved, "QUAY"), state(hub, "QUAY")) == ("stopped", "stopped")
    start_agent(hub, "QUAY")
    assert state(moved, "QUAY") == "starting"
    stop_agent(hub, "ONE")
    make({name: one for name, one in AGENTS.items() if name != "ONE"})
    assert state(make(), "ONE") == "starting"


def test_184_only_agents_that_are_declared_can_be_stopped(hub):
    """Item 184: the operator is told that the name is wrong."""
    with hub.service.database.write() as connection:
        assert not store.stop(connection, "QUAI", now_ms())
        assert not store.start(connection, "QUAI")
