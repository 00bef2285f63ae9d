from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sertainty_svc.domain.agent import BEAT_LIFE_MS, Agent, AgentStatus, config_status
from sertainty_svc.domain.functions import BINARY, FUNCTIONS, SessionPlace, find_function
from sertainty_svc.domain.names import is_name


def test_31_67_the_table_holds_all_functions_with_their_shapes():
    """Items 31 to 67: thirty-seven names, each once, four of them without a session element."""
    assert len({function.name for function in FUNCTIONS}) == 37
    places = {function.name: function.session for function in FUNCTIONS if function.session is not SessionPlace.ELEMENT}
    assert places == {
        "agentAlter": SessionPlace.ARGUMENT,
        "hostCloseSession": SessionPlace.ARGUMENT,
        "agentPing": SessionPlace.NONE,
        "hostOpenSession": SessionPlace.NONE,
    }
    assert sum(1 for function in FUNCTIONS if function.repeated) == 3
    assert [function.name for function in FUNCTIONS if function.named_results] == ["taskGetStatus"]
    assert sum(len(function.args) for function in FUNCTIONS) == 46
    assert sum(len(function.results) for function in FUNCTIONS) == 29


def test_5_every_name_is_found_in_any_case():
    """Item 5: and the guide's misprint is the function that it stands for."""
    for function in FUNCTIONS:
        assert find_function(function.name.upper()) is function
        assert find_function(function.name.swapcase()) is function
    assert find_function("TempateGetTask") is find_function("templateGetTask")
    assert find_function("a\u0131") is None


@given(st.text(max_size=300))
def test_17_every_accepted_name_is_safe(text):
    """Item 17: no separator, control character or device, and 1 to 255 bytes."""
    if is_name(text):
        assert not set(text) & set('/\\:*?"<>|\0\n')
        assert 1 <= len(text.encode()) <= 255
        assert text.strip(" ") == text
        assert text.partition(".")[0].upper() not in {"CON", "NUL", "AUX", "PRN", "COM1"}


def test_68_the_agents_state_is_the_wished_one_while_a_worker_is_alive():
    """Item 68: Active, Disabled, and Offline by wish, without a heartbeat, or before a worker has started it."""
    for running, enabled, age, status in (
        (True, True, 0, AgentStatus.ACTIVE),
        (True, False, BEAT_LIFE_MS, AgentStatus.DISABLED),
        (True, True, BEAT_LIFE_MS + 1, AgentStatus.OFFLINE),
        (False, True, 0, AgentStatus.OFFLINE),
    ):
        agent = Agent(running=running, enabled=enabled, beat_at=1000)
        assert agent.status(1000 + age) is status
        assert replace(agent, started=False).status(1000 + age) is AgentStatus.OFFLINE


def test_69_the_state_of_a_configuration_follows_the_agent():
    """Item 69: Idle while the agent is offline, Active only where both are."""
    assert config_status(AgentStatus.OFFLINE, active=True) == "Idle"
    assert config_status(AgentStatus.DISABLED, active=True) == "Disabled"
    assert config_status(AgentStatus.ACTIVE, active=True) == "Active"
    assert config_status(AgentStatus.ACTIVE, active=False) == "Disabled"


def test_9_only_two_arguments_are_bytes():
    """Item 9: contents of IDs and scripts."""
    names = {name.removesuffix("*") for function in FUNCTIONS for name in function.args}
    assert names >= BINARY == {"id-contents", "script-contents"}
