"""Workers of the agent as processes that are killed, frozen and stopped (section 3, 68, 74)."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from sertainty_svc.store import agent as store
from tests.servers import processes
from tests.servers.databases import stop_between_writes
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.protector import Hub, agent_log, events

LEASE_S = 1.5
PROGRAM = [sys.executable, "-m", "tests.servers.agent_worker_program"]


@pytest.fixture
def hub(tmp_path, database_url):
    """Return a web process of the service by the wall clock; its own worker has stopped."""
    made = Hub(tmp_path, SERTAINTY_DATABASE_URL=database_url)
    made.worker.hand_over()
    yield made
    made.service.close()


@pytest.fixture
def start(tmp_path, database_url):
    """Return a function that starts a worker and returns it once it has looked at the agent."""
    given = json.dumps({"folder": str(tmp_path), "database": database_url, "lease": LEASE_S})
    with contextlib.ExitStack() as ending:

        def begin():
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            process = ending.enter_context(subprocess.Popen([*PROGRAM, given], **pipes, start_new_session=True))
            ending.callback(processes.end, process)
            assert process.stdout.readline() == b"ready\n"
            return process

        yield begin


def stored(hub):
    """Return the agent as it is stored, and set the hub's clock."""
    hub.now = time.time_ns() // 1_000_000
    with hub.service.database.read() as connection:
        return store.find(connection)


def wait_for_beats(hub, count=2):
    """Wait until heartbeats are counted."""
    before = stored(hub).beats
    wait_until(lambda: stored(hub).beats >= before + count)


def has_lost_worker(hub):
    """Return whether another worker has taken over; the agent is online at every moment until then."""
    stored(hub)
    assert hub.call("agentPing").status == 1
    return "agent.worker_lost" in events(agent_log(hub))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_68_74_a_dead_worker_is_replaced_before_the_agent_is_offline(hub, start, how):
    """Items 68 and 74: the one that waits goes on with the agent and its log, and carries out the next wish."""
    first, _second = start(), start()
    wait_for_beats(hub)
    name = agent_log(hub).get("name")
    if how is signal.SIGSTOP:
        wait_until(lambda: stop_between_writes(hub.service.database, first.pid), what="a worker that is stopped")
    else:
        os.kill(first.pid, how)
    wait_until(lambda: has_lost_worker(hub), every=0.05)
    assert agent_log(hub).get("name") == name
    if how is signal.SIGSTOP:
        os.kill(first.pid, signal.SIGCONT)
        wait_for_beats(hub)
    assert hub.call("agentRestart", session=hub.login()).status == 1
    assert agent_log(hub).get("name") > name
    assert events(agent_log(hub)) == ["agent.started"]


def test_68_74_a_worker_that_comes_after_all_were_killed_starts_the_agent(hub, start):
    """Item 74: that is a start of the service, with a log of its own, and Disabled as it was before."""
    first = start()
    wait_for_beats(hub)
    hub.call("agentAlter", hub.login(), "Disable")
    name = agent_log(hub).get("name")
    processes.end(first)
    start()
    wait_until(lambda: stored(hub) and agent_log(hub).get("name") != name)
    assert events(agent_log(hub)) == ["agent.started"]
    assert hub.call("agentGetStatus", session=hub.login()).results[0] == "Disabled"


def test_74_a_worker_that_is_stopped_hands_the_agent_over(hub, start):
    """Item 74: the other one goes on within a moment, without a start."""
    first, _second = start(), start()
    wait_for_beats(hub)
    name = agent_log(hub).get("name")
    first.stdin.close()
    first.wait(60)
    wait_for_beats(hub)
    assert agent_log(hub).get("name") == name
    assert "agent.worker_lost" not in events(agent_log(hub))
