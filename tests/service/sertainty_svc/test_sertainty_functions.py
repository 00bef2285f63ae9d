import pytest

from sertainty_svc.domain.functions import FUNCTIONS, SessionPlace
from tests.service.sertainty_svc.protector import PROMPTS, b64

DOCUMENTS = {"tasks-contents": "<Tasks/>", "task-definition": "<Task/>", "alter-option": "Disable"}
CHECKED = [one for one in FUNCTIONS if one.name not in {"agentPing", "hostOpenSession"}]


def good(function, session):
    """Return arguments of the right form for a function."""
    values = {**DOCUMENTS, "session-id": session}
    return [values.get(name, "night") for name in function.singles]


def call(hub, function, arguments, session):
    """Call a function with its session where its table has it."""
    return hub.call(function.name, *arguments, session=session if function.session is SessionPlace.ELEMENT else None)


@pytest.mark.parametrize("function", CHECKED, ids=lambda function: function.name)
def test_31_67_a_function_checks_session_count_and_base64(hub, function):
    """Items 31 to 67: no session or a bad one is 3; too many arguments, too few, or no Base64 are 408."""
    session, bad = hub.login(), "x" * 43
    arguments = good(function, session)
    in_argument = function.session is SessionPlace.ARGUMENT
    assert call(hub, function, [bad, *arguments[1:]] if in_argument else arguments, bad).status == 3
    if not in_argument:
        assert call(hub, function, arguments, None).status == 3
    if function.repeated is None:
        assert call(hub, function, [*arguments, "more"], session).status == 408
    if not in_argument and arguments:
        assert call(hub, function, arguments[:-1], session).status == 408
        names = [f"<Argument>{b64(one)}</Argument>" for one in arguments[:-1]] + ["<Argument>%%%</Argument>"]
        head = f"<Session>{session}</Session>"
        body = f"<Request>{head}<Function>{function.name}</Function><ArgList>{''.join(names)}</ArgList></Request>"
        assert b"<Status>408</Status>" in hub.send(body.encode()).data


@pytest.mark.parametrize(
    "function",
    [one for one in FUNCTIONS if "config-name" in one.args and one.name != "configCreate"],
    ids=lambda one: one.name,
)
def test_16_a_configuration_that_is_not_there_is_213_in_every_function(hub, function):
    """Items 16, 38 to 49 and 60 to 64: and in one that is there, an object that is not."""
    session = hub.login()
    arguments = good(function, session)
    assert call(hub, function, arguments, session).status == 213
    assert hub.call("configCreate", "night", session=session).status == 1
    names_one = {"id-name", "script-name", "task-name"} & set(function.args)
    makes_it = function.name.startswith(("configSave", "configNew"))
    assert call(hub, function, arguments, session).status == (213 if names_one and not makes_it else 1)


@pytest.mark.parametrize(
    "function", [one for one in FUNCTIONS if one.session is SessionPlace.ELEMENT], ids=lambda one: one.name
)
def test_29_the_role_read_may_call_the_reading_functions_alone(hub, function):
    """Item 29: a call outside of the role is denied before its arguments are looked at."""
    session = hub.login("reader")
    status = call(hub, function, good(function, session), session).status
    assert (status == 3) == ("Get" not in function.name)


def test_29_the_role_read_may_close_its_session_and_not_alter_the_agent(hub):
    """Item 29: every role may call hostCloseSession."""
    session = hub.login("reader")
    assert hub.call("agentAlter", session, "Disable").status == 3
    assert hub.call("hostCloseSession", session).status == 1


@pytest.mark.parametrize("option", ["Disable", "enable", "ENABLE"])
def test_20_agent_alter_takes_three_forms(hub, option):
    """Item 20: by arguments, by element and option, and by both where they name one session."""
    session, other = hub.login(), hub.login("reader")
    assert hub.call("agentAlter", session, option).status == 1
    assert hub.call("agentAlter", ("alter-option", option), ("session-id", session)).status == 1
    assert hub.call("agentAlter", option, session=session).status == 1
    assert hub.call("agentAlter", session, option, session=session).status == 1
    assert hub.call("agentAlter", other, option, session=session).status == 3
    assert hub.call("agentAlter", "x" * 43, option, session=session).status == 3
    assert hub.call("agentAlter", session, option, "more").status == 408


def test_20_agent_alter_with_one_of_its_two_arguments(hub):
    """Item 20: a session alone lacks the option, an option alone lacks the session."""
    session = hub.login()
    assert hub.call("agentAlter", session).status == 408
    for argument in ("Disable", ("alter-option", "Disable"), ("alter-option", session), ("session-id", "Disable")):
        assert hub.call("agentAlter", argument).status == 3
    assert hub.call("agentAlter").status == 3
    assert hub.call("agentAlter", session=session).status == 408
    assert hub.call("agentAlter", "Pause", session=session).status == 408


def test_18_a_session_sent_where_none_belongs_is_ignored(hub):
    """Item 18: agentPing and hostOpenSession ignore it."""
    assert hub.call("agentPing", session="nonsense").status == 1
    assert hub.call("hostOpenSession", "operator", session="nonsense").status == 1


def test_19_the_session_is_taken_plain_and_still_encoded(hub):
    """Item 19: both texts are one session; an empty, unknown or closed one is denied without results."""
    session = hub.login()
    for text in (session, b64(session), f"\n {session}\t"):
        assert hub.call("agentGetStatus", session=text).status == 1
    for text in ("", "  ", "x" * 43, b64("x" * 43), b64(b64(session)), session[:-1], session + "="):
        reply = hub.call("agentGetStatus", session=text)
        assert (reply.status, reply.message, reply.results) == (3, "Denied", None)


def test_21_50_host_close_session_takes_argument_or_element(hub):
    """Items 21 and 50: closed at once; neither is 408, and one that is not open is denied."""
    for arguments, element in ((True, False), (False, True)):
        session = hub.login()
        sent = [session] if arguments else []
        assert hub.call("hostCloseSession", *sent, session=session if element else None).status == 1
        assert hub.call("agentGetStatus", session=session).status == 3
        assert hub.call("hostCloseSession", session).status == 3
    assert hub.call("hostCloseSession").status == 408
    session = hub.login()
    assert hub.call("hostCloseSession", session, "more").status == 408
    assert hub.call("agentGetStatus", session=session).status == 1


def test_22_23_52_a_trusted_account_gets_its_session_at_once(hub):
    """Items 22, 23 and 52: by the session API's own limits, and answers are ignored."""
    reply = hub.call("hostOpenSession", "operator", address="10.7.7.7")
    assert (reply.status, len(reply.results), reply.names) == (1, 1, [None])
    (request,) = [one[2] for one in hub.directory.open.values()]
    assert (request["service"], request["token_form"], request["token_bytes"]) == ("sertainty-svc", "urlsafe", 32)
    assert (request["idle"], request["absolute"], request["account_limit"]) == (900, 43_200, 100)
    assert request["address"] == "10.7.7.7"


def test_22_past_the_limit_of_an_account_the_answer_is_denied(hub):
    """Item 22: a hundred sessions of one account, and no more."""
    assert hub.call("hostOpenSession", "full").status == 3


def test_23_24_25_prompts_are_sent_in_order_until_they_are_answered(hub):
    """Items 23 to 25: numbered results with the prompts' texts, the same every time, then the session."""
    for _ in range(2):
        reply = hub.call("hostOpenSession", "auditor")
        assert (reply.status, reply.message, reply.results) == (2, "Challenged", list(PROMPTS))
        assert reply.names == ["prompt-1", "prompt-2"]
    assert hub.directory.asked == []
    assert hub.call("hostOpenSession", "auditor", "Rotterdam", "7").status == 1
    assert hub.directory.asked == [("auditor", ((None, "Rotterdam"), (None, "7")), "10.0.0.9")]


def test_24_answers_keep_the_names_that_they_came_under(hub):
    """Item 24: by number, by text, by position; client-user may stand anywhere when it is named."""
    named = [("prompt-1", "Rotterdam"), (PROMPTS[1], "7")]
    assert hub.call("hostOpenSession", "auditor", *named).status == 1
    assert hub.call("hostOpenSession", *named, ("client-user", "auditor")).status == 1
    assert hub.call("hostOpenSession", ("prompt-1", "Rotterdam"), ("user", "auditor"), ("prompt-2", "7")).status == 1
    assert hub.directory.asked[0][1] == tuple(named)


def test_26_wrong_answers_are_challenged_twice_and_then_denied(hub):
    """Item 26: 2, 2, 3, and no session-id or prompt with the denial."""
    replies = [hub.call("hostOpenSession", "auditor", "Antwerp", "7") for _ in range(3)]
    assert [reply.status for reply in replies] == [2, 2, 3]
    assert replies[1].results == list(PROMPTS)
    assert replies[2].results is None


def test_26_a_throttled_login_is_denied_with_the_time_to_wait(hub):
    """Item 26: the answers are not checked, and a header has the time to wait."""
    reply = hub.call("hostOpenSession", "throttled", "Rotterdam", "7")
    assert (reply.status, reply.http.headers["Retry-After"]) == (3, "30")


def test_27_an_unknown_name_is_challenged_or_denied_as_the_directory_says(hub):
    """Item 27: the service answers as the directory does."""
    assert hub.call("hostOpenSession", "stranger").results == list(PROMPTS)
    assert hub.call("hostOpenSession", "outcast").status == 3


def test_52_host_open_session_needs_a_user(hub):
    """Item 52: no argument, prompts alone, two users, and text that is not UTF-8."""
    assert hub.call("hostOpenSession").status == 408
    assert hub.call("hostOpenSession", ("prompt-1", "x")).status == 408
    assert hub.call("hostOpenSession", ("client-user", "a"), ("client-user", "b")).status == 408
    assert hub.call("hostOpenSession", b"\xff").status == 408


def test_33_agent_get_status_has_six_results(hub):
    """Items 33 and 69: agent, application, version, and no active configuration."""
    session = hub.login()
    reply = hub.call("agentGetStatus", session=session)
    assert reply.results == ["Active", "Crossdock", reply.results[2], "", "Disabled", "Normal"]
    assert reply.results[2]
    hub.now += 10_001
    assert hub.call("agentGetStatus", session=session).results[4] == "Idle"


def test_34_68_without_a_heartbeat_for_ten_seconds_the_agent_is_offline(hub):
    """Items 34 and 68: a ping fails at once, and succeeds again with the next heartbeat."""
    hub.now += 10_000
    assert hub.call("agentPing").status == 1
    hub.now += 1
    reply = hub.call("agentPing")
    assert (reply.status, reply.message) == (502, "The agent is offline.")
    hub.worker.beat()
    assert hub.call("agentPing").status == 1
    assert hub.call("agentPing", "more").status == 408


@pytest.mark.parametrize(
    "name", ["", ".hidden", " a", "a ", "a.", "a/b", "a\\b", "a:b", "*", "nul", "Con.txt", "a\x00b", "é" * 128, "a\nb"]
)
def test_17_a_name_of_a_wrong_form_is_408_in_every_function(hub, name):
    """Item 17: a text that no file system takes is no name, of any object."""
    session = hub.login()
    for function, arguments in (("configCreate", [name]), ("taskGetLog", [name, "t"]), ("sharedGetScript", [name])):
        assert hub.call(function, *arguments, session=session).status == 408


def test_17_an_asterisk_is_taken_for_tasks_alone(hub):
    """Items 17 and 62 to 64: every task of a configuration, and nowhere else."""
    session = hub.login()
    assert hub.call("configCreate", "night", session=session).status == 1
    for function in ("taskPause", "taskReset", "taskResume"):
        assert hub.call(function, "night", "*", session=session).status == 1
        assert hub.call(function, "*", "seal", session=session).status == 408
    assert hub.call("taskGetStatus", "night", "*", session=session).status == 213
    assert hub.call("templateGetTask", "*", session=session).status == 408
    assert hub.call("configCreate", "é" * 127 + "a", session=session).status == 1


def test_28_no_secret_reaches_the_log(hub, log):
    """Item 28: neither session-ids nor answers, with good and bad calls alike."""
    session = hub.login()
    hub.call("hostOpenSession", "auditor", "Rotterdam", "7")
    hub.call("hostOpenSession", "auditor", "Antwerpen", "7")
    hub.call("agentGetStatus", "more", session=session)
    hub.call("hostCloseSession", session)
    hub.call("hostCloseSession", session)
    shown = log.getvalue()
    assert "call.rejected" in shown
    assert not [word for word in (session, b64(session), "Rotterdam", "Antwerpen") if word in shown]
