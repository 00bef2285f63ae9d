"""The checks of the functions of the agent and of logs (13, 29, 31 to 37, 60)."""

from contextlib import contextmanager

import pytest

from sertainty_svc.domain.functions import SessionPlace, find_function
from tests.service.sertainty_svc.protector import agent_log, events

# Every function with good arguments, beside its session.
CALLS = {
    "agentAlter": ["Enable"],
    "agentGetLog": [],
    "agentGetStatus": [],
    "agentRestart": [],
    "agentShutdown": [],
    "agentStart": [],
    "taskGetLog": ["night", "seal"],
}


def call(hub, name, arguments, session):
    """Call a function with its session where its table has it."""
    if find_function(name).session is SessionPlace.ARGUMENT:
        return hub.call(name, *([] if session is None else [session]), *arguments)
    return hub.call(name, *arguments, session=session)


@pytest.mark.parametrize(("name", "arguments"), CALLS.items(), ids=CALLS)
def test_13_31_60_session_and_count_are_checked_before_anything_is_done(hub, name, arguments):
    """Items 13, 31 to 37 and 60: no session and a bad one are 3, another count of arguments is 408."""
    session = hub.login()
    before = hub.call("agentGetStatus", session=session).results
    for bad in (None, "x" * 43):
        assert call(hub, name, arguments, bad).status == 3
    assert call(hub, name, [*arguments, "more"], session).status == 408
    if arguments:
        assert call(hub, name, arguments[:-1], session).status == 408
        assert call(hub, name, [*arguments[:-1], b"\xff"], session).status == 408
    assert hub.call("agentGetStatus", session=session).results == before
    assert events(agent_log(hub)) == ["agent.started", "session.granted"]


def test_31_an_option_of_another_value_is_408(hub):
    """Item 31: Disable and Enable in any case, and nothing else."""
    session = hub.login()
    for option, status in (("Disable", 1), ("ENABLE", 1), ("dIsAbLe", 1), ("", 408), ("Pause", 408), (" Enable", 408)):
        assert hub.call("agentAlter", session, option).status == status
    assert hub.call("agentGetStatus", session=session).results[0] == "Disabled"


def test_31_only_a_change_is_in_the_log(hub):
    """Items 31 and 74: disabling twice is one entry, with the caller's name and address."""
    session = hub.login()
    for option in ("Enable", "Disable", "Disable"):
        assert hub.call("agentAlter", session, option, address="10.3.3.3").status == 1
    entry = agent_log(hub)[-1]
    assert events(agent_log(hub)) == ["agent.started", "session.granted", "agent.disabled"]
    assert (entry.get("user"), entry.get("address"), entry.text) == ("operator", "10.3.3.3", "The agent was disabled.")


def test_29_the_role_read_gets_logs_and_changes_nothing(hub):
    """Item 29: the log and the state, and no function that steers the agent."""
    session = hub.login("reader")
    for name, arguments in CALLS.items():
        expected = {"agentGetLog": 1, "agentGetStatus": 1, "taskGetLog": 213}.get(name, 3)
        assert call(hub, name, arguments, session).status == expected


@contextmanager
def without_log(hub):
    """Let every write to the agent's log fail."""
    for names in ("agent_log RENAME TO gone", "gone RENAME TO agent_log"):
        with hub.service.database.write() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {names}")
        if names.startswith("agent_log"):
            yield


def test_2_70_a_wish_that_cannot_be_stored_is_502(hub):
    """Items 2 and 70: the call fails with a sentence and leaves the agent as it was."""
    session = hub.login()
    with without_log(hub):
        assert hub.call("agentShutdown", session=session).status == 502
    assert hub.call("agentPing").status == 1


def test_74_a_session_that_cannot_be_recorded_is_closed(hub):
    """Item 74: its caller gets 502 and no session id, and it does not count among those of the account."""
    with without_log(hub):
        assert hub.call("hostOpenSession", "operator").status == 502
    assert hub.directory.open == {}
