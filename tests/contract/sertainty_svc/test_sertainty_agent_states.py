"""Every transition of the agent's states, with restarts of the service between (section 3)."""

import pytest

from sertainty_svc.store import agent as store
from tests.service.sertainty_svc.protector import agent_log, events

# The state, the call, and the state afterwards; `Offline, Disabled` is one whose next start leads to Disabled.
TRANSITIONS = (
    ("Active", "Disable", "Disabled"),
    ("Active", "Enable", "Active"),
    ("Active", "agentStart", "Active"),
    ("Active", "agentRestart", "Active"),
    ("Active", "agentShutdown", "Offline"),
    ("Disabled", "Enable", "Active"),
    ("Disabled", "Disable", "Disabled"),
    ("Disabled", "agentStart", "Disabled"),
    ("Disabled", "agentRestart", "Disabled"),
    ("Disabled", "agentShutdown", "Offline, Disabled"),
    ("Offline", "agentStart", "Active"),
    ("Offline", "Disable", "Offline, Disabled"),
    ("Offline", "Enable", "Offline"),
    ("Offline", "agentShutdown", "Offline"),
    ("Offline, Disabled", "agentStart", "Disabled"),
    ("Offline, Disabled", "Enable", "Offline"),
    ("Offline, Disabled", "agentShutdown", "Offline, Disabled"),
)


def steer(hub, call):
    """Call a function of the agent, or agentAlter with an option, and return the reply."""
    session = hub.login()
    if call.startswith("agent"):
        return hub.call(call, session=session)
    return hub.call("agentAlter", session, call)


def state(hub):
    """Return the agent's state as callers see it, and what is stored for its next start."""
    status = hub.call("agentGetStatus", session=hub.login()).results[0]
    assert hub.call("agentPing").status == (502 if status == "Offline" else 1)
    with hub.service.database.read() as connection:
        enabled = store.find(connection).enabled
    return status if status != "Offline" or enabled else "Offline, Disabled"


def bring(hub, wanted):
    """Bring the agent into a state."""
    if "Disabled" in wanted:
        assert steer(hub, "Disable").status == 1
    if "Offline" in wanted:
        assert steer(hub, "agentShutdown").status == 1
    assert state(hub) == wanted


@pytest.mark.parametrize(("before", "call", "after"), TRANSITIONS)
def test_31_35_36_37_70_71_every_transition_survives_a_restart_of_the_service(new_hub, before, call, after):
    """Items 31, 35 to 37, 70 and 71: the state before and after a call is the same before and after a restart."""
    hub = new_hub()
    with hub.working():
        bring(hub, before)
    hub = new_hub()
    assert state(hub) == before
    with hub.working():
        assert steer(hub, call).status == 1
        assert state(hub) == after
    assert state(new_hub()) == after


@pytest.mark.parametrize("before", ["Offline", "Offline, Disabled"])
def test_35_a_restart_of_an_agent_that_is_offline_is_502(new_hub, before):
    """Item 35: the agent stays as it is, also after a restart of the service."""
    hub = new_hub()
    with hub.working():
        bring(hub, before)
        reply = steer(hub, "agentRestart")
    assert (reply.status, reply.message) == (502, "The agent is offline.")
    assert state(new_hub()) == before


def test_74_each_start_begins_a_log_and_a_call_without_effect_does_not(new_hub):
    """Items 37, 72 and 74: the start of the service, a restart and a start; not a start of one that runs."""
    hub = new_hub()
    names = [agent_log(hub).get("name")]
    with hub.working():
        for call in ("agentStart", "agentRestart", "agentShutdown", "agentStart", "Disable", "Enable"):
            assert steer(hub, call).status == 1
            names.append(agent_log(hub).get("name"))
    assert len(set(names)) == 3
    assert names == sorted(names)
    assert agent_log(new_hub()).get("name") > names[-1]


def test_70_74_a_restart_of_the_service_begins_no_log_while_the_agent_is_offline(new_hub):
    """Items 70 and 74: the log of the last start goes on, and has what happens meanwhile."""
    hub = new_hub()
    with hub.working():
        steer(hub, "agentShutdown")
    before = agent_log(hub)
    hub = new_hub()
    with hub.working():
        steer(hub, "Disable")
    after = agent_log(hub)
    assert after.get("name") == before.get("name")
    assert events(after)[: len(events(before))] == events(before)
    assert events(after)[-2:] == ["session.granted", "agent.disabled"]


def test_72_74_the_log_has_each_stop_and_start_with_user_and_address(new_hub):
    """Items 72 and 74: the old log ends with the wish and the stop, and the new one begins with the start."""
    hub = new_hub()
    session = hub.login()
    first = agent_log(hub).get("name")
    with hub.working():
        hub.call("agentRestart", session=session, address="10.7.7.7")
    entry = agent_log(hub)[0]
    assert (entry.get("event"), entry.get("user"), entry.get("address")) == ("agent.started", "operator", "10.7.7.7")
    older = agent_log(hub, first)
    assert events(older) == ["agent.started", "session.granted", "agent.restart", "agent.stopped"]
    assert {one.get("user") for one in older[1:]} == {"operator"}
    assert older[0].get("user") is None, "nobody asked for the first start"
