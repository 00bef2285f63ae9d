"""One of several workers runs the agent: takeovers, and wishes that wait."""

import time

import pytest
import sqlalchemy as sa

from sertainty_svc.operations.agent_worker import AgentWorker
from sertainty_svc.store import agent as store
from sertainty_svc.store.tables import execution
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.protector import agent_log, blank_execution, events, running


def lapse(hub):
    """Let the lease of the worker that has one lapse."""
    with hub.service.database.write() as connection:
        connection.execute(sa.text("UPDATE leases SET until = 0"))


def worker_of(hub, **options):
    """Return another worker of a hub's database."""
    return AgentWorker(hub.service.database, now=lambda: hub.now, **options)


def stored(hub):
    """Return the agent as it is stored."""
    with hub.service.database.read() as connection:
        return store.find(connection)


def run_execution(hub, **values):
    """Store an execution that runs, taken before the next stop of the agent."""
    row = blank_execution(**{"task_id": 1, "number": 1, "definition": "{}", "status": "running", **values})
    with hub.service.database.write() as connection:
        connection.execute(execution.insert().values(row))


def end_executions(hub):
    """End all executions."""
    with hub.service.database.write() as connection:
        connection.execute(execution.update().values(status="over"))


def test_74_a_clean_handover_is_no_start(new_hub):
    """Section 3 and item 74: the worker that was there already goes on with the agent and its log."""
    first, second = new_hub(), new_hub()
    assert (first.worker.holds_lease, second.worker.holds_lease) == (True, False)
    name = agent_log(first).get("name")
    first.worker.hand_over()
    second.now += 9_000
    third = worker_of(second)
    with running(second.worker):
        wait_until(lambda: second.worker.holds_lease)
        third.look()
        assert not third.holds_lease
        assert stored(second).beat_at == second.now
    log = agent_log(second)
    assert log.get("name") == name
    assert events(log) == ["agent.started", "agent.worker_stopped", "agent.worker_stopped"]


def test_74_a_worker_that_comes_after_the_last_one_has_stopped_is_a_start(new_hub):
    """Item 74: a restart of the service begins a log."""
    first = new_hub()
    name = agent_log(first).get("name")
    first.worker.hand_over()
    assert agent_log(new_hub()).get("name") > name


@pytest.mark.parametrize("waits", [True, False])
def test_68_74_the_agent_of_a_killed_worker_goes_on_with_one_that_saw_it_alive(new_hub, waits):
    """Items 68 and 74: one that waits takes over without a start; the same after the kill is a start of the service."""
    hub = new_hub()
    hub.worker.hand_over()
    killed, other = worker_of(hub), worker_of(hub)
    killed.look()
    if waits:
        other.look()
        killed.beat()
    lapse(hub)
    name = agent_log(hub).get("name")
    with running(other):
        wait_until(lambda: other.holds_lease)
    log = agent_log(hub)
    assert (log.get("name") == name) is waits
    if waits:
        assert "agent.worker_lost" in events(log)


def test_37_72_one_of_many_workers_carries_a_wish_out_once(new_hub):
    """Items 37 and 72: three replicas with their workers, and a call at each: one stop and one start a wish."""
    hubs = [new_hub() for _ in range(3)]
    with hubs[0].working(), hubs[1].working(), hubs[2].working():
        for hub in hubs:
            first = agent_log(hub).get("name")
            assert hub.call("agentRestart", session=hub.login()).status == 1
            assert events(agent_log(hub, first)).count("agent.stopped") == 1
            assert events(agent_log(hub)).count("agent.started") == 1
            assert agent_log(hub).get("name") > first
    assert stored(hubs[0]).epoch == 3


def test_68_a_frozen_worker_writes_nothing_after_its_lease_has_lapsed(new_hub):
    """Item 68: it neither beats nor carries out a wish, and is a candidate again."""
    hub = new_hub()
    hub.worker.hand_over()
    frozen, other = worker_of(hub), worker_of(hub)
    frozen.look()
    other.look()
    frozen.beat()
    lapse(hub)
    wait_until(lambda: other.look() or other.holds_lease, what="another worker holds the lease")
    hub.service.operations.agent.answer_within = 0.0
    hub.call("agentShutdown", session=hub.login())
    before = stored(hub)
    assert before.pending
    frozen.look()
    assert (stored(hub), frozen.holds_lease) == (before, False)
    frozen.beat()
    assert stored(hub) == before


def test_37_a_start_that_no_worker_takes_up_is_502_and_holds_for_the_next_one(new_hub):
    """Item 37: the call fails after its time, and a worker that comes later starts the agent."""
    hub = new_hub()
    with hub.working():
        hub.call("agentShutdown", session=hub.login())
    hub.service.operations.agent.answer_within = 0.2
    began = time.monotonic()
    reply = hub.call("agentStart", session=hub.login())
    assert (reply.status, reply.message[:34]) == (502, "No worker has taken up the start o")
    assert time.monotonic() - began >= 0.2
    assert hub.call("agentPing").status == 502
    later = new_hub()
    assert later.call("agentPing").status == 1
    assert agent_log(later)[0].get("user") == "operator"


def test_36_37_without_a_worker_a_shutdown_is_answered_at_once_and_a_start_is_502(new_hub):
    """Items 36, 37 and 68: the agent counts as offline without a heartbeat, and the wishes are stored."""
    hub = new_hub()
    hub.now += 10_001
    hub.service.operations.agent.answer_within = 0.1
    assert hub.call("agentStart", session=hub.login()).status == 502
    assert hub.call("agentRestart", session=hub.login()).status == 502
    hub.service.operations.agent.answer_within = 60.0
    assert hub.call("agentShutdown", session=hub.login()).status == 1
    assert not stored(hub).running


def test_70_a_shutdown_is_answered_when_executions_have_ended_or_the_time_is_up(new_hub):
    """Item 70: the agent is offline at once, and has stopped once the execution is over."""
    hub = new_hub()
    run_execution(hub)
    hub.service.operations.agent.answer_within = 0.4
    with hub.working():
        assert hub.call("agentShutdown", session=hub.login()).status == 1
        assert hub.call("agentPing").status == 502
        assert stored(hub).pending
        assert "agent.stopped" not in events(agent_log(hub))
        end_executions(hub)
        wait_until(lambda: not stored(hub).pending)
        assert "agent.stopped" in events(agent_log(hub))


def test_72_73_a_restart_waits_for_executions_that_it_ends_but_not_for_ever(new_hub):
    """Items 72 and 73: those of the epoch before; after 10 s the agent starts beside one that does not end."""
    hub = new_hub()
    hub.worker.hand_over()
    seconds = [100.0]
    worker = worker_of(hub, elapsed=lambda: seconds[0])
    worker.look()
    run_execution(hub)
    hub.service.operations.agent.answer_within = 0.0
    assert hub.call("agentRestart", session=hub.login()).status == 1
    agent = stored(hub)
    assert (agent.epoch, agent.reason) == (1, "agent restart")
    run_execution(hub, number=2, epoch=1)
    for moment, pending in ((100.0, True), (109.9, True), (110.0, False)):
        seconds[0] = moment
        worker.look()
        assert stored(hub).pending is pending
    assert hub.call("agentRestart", session=hub.login()).status == 1
    worker.look()
    assert stored(hub).pending
    end_executions(hub)
    worker.look()
    assert not stored(hub).pending


def test_36_37_a_shutdown_and_a_start_that_are_taken_up_together_are_one_stop_and_one_start(new_hub):
    """Items 36 and 37: the agent runs afterwards, and each log has its part."""
    hub = new_hub()
    session = hub.login()
    name = agent_log(hub).get("name")
    hub.service.operations.agent.answer_within = 0.0
    hub.call("agentShutdown", session=session)
    hub.call("agentStart", session=session)
    hub.worker.look()
    assert not stored(hub).pending
    assert hub.call("agentPing").status == 1
    assert events(agent_log(hub, name))[-3:] == ["agent.shutdown", "agent.start", "agent.stopped"]
    assert events(agent_log(hub)) == ["agent.started"]
