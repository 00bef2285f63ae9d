"""The agent and the executions of its workers together: calls end what runs, or let it finish (70 to 73)."""

import pytest

from mft_common.identity import Identity
from sertainty_svc.operations.calls import Call
from sertainty_svc.store import agent as store
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.executing import engine, open_engine, runner
from tests.service.sertainty_svc.protector import running

__all__ = ["engine", "open_engine", "runner"]


def steer(engine, name, **arguments):
    """Call a function of the agent, and return the status of the reply."""
    given = {key.replace("_", "-"): [value] for key, value in arguments.items()}
    call = Call(identity=Identity(request_id="r1", address="10.0.0.9"), caller=None, arguments=given)
    return engine.service.operations.functions[name](call).code


@pytest.mark.parametrize("kind", ["shutdown", "restart"])
def test_70_72_73_an_answer_comes_when_executions_have_ended(engine, kind):
    """Items 70, 72 and 73: the execution is over, in error with its text, and nothing is half-written by then."""
    id_ = engine.task(parameters=engine.gate)
    with running(engine.service.agent_worker), engine.worker():
        execution = engine.queue(id_, "a", "b")
        engine.waits("a")
        assert steer(engine, f"agent{kind.capitalize()}") == 1
        agent, ended = engine.read(store.find), engine.execution(execution.id)
        assert (ended.status, ended.error) == ("over", f"ended by agent {kind}")
        assert (agent.pending, agent.running) == (False, kind == "restart")
        wait_until(lambda: engine.outputs() == [], what="the unfinished file is removed")
        assert (engine.stored(id_).exec_count, engine.stored(id_).error_count) == (1, 1)


def test_70_71_after_a_shutdown_only_a_start_lets_executions_begin(engine):
    """Items 70 and 71: a restart is refused; what is queued after the start runs, unless the agent is disabled."""
    id_ = engine.task()
    with running(engine.service.agent_worker), engine.worker():
        assert steer(engine, "agentShutdown") == 1
        assert steer(engine, "agentAlter", alter_option="Disable") == 1
        assert steer(engine, "agentStart") == 1
        assert steer(engine, "agentAlter", alter_option="Enable") == 1
        execution = engine.queue(id_, "a")
        assert engine.ended(execution).error == ""
        assert engine.outputs() == ["a"]
