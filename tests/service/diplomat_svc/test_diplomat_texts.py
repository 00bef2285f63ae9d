"""Any text in any parameter of the eleven requests goes through URL and XML and back, and gives no 5xx (E45)."""

import contextlib
import os
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

KINDS = (
    *("cancel", "connect", "disconnect", "jobHistories", "summary", "logBuffer", "logView", "removeLogView", "runNow"),
    *("terminate", "transactionStatuses"),
)
PARAMETERS = (
    *("userID", "userName", "password", "domain", "disconnect", "transactionID", "transactionName", "var", "sequence"),
    *("searchText", "logViewID", "lineNum", "since"),
)
PAIRS = st.lists(st.tuples(st.sampled_from(PARAMETERS), st.text(st.characters(exclude_categories=("Cs",)))), max_size=5)
# A label has no control characters (A20); blanks around it and those that XML forbids are another matter.
LABELS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40).filter(str.strip)
# Parts of names: a value with a separator or a control character is refused (A31).
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\*?"), min_size=1, max_size=40)
SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
FORBIDDEN = str.maketrans({"\ufffe": "\ufffd", "\uffff": "\ufffd"})


@pytest.fixture
def dock(hub, transaction):
    """A hub with a job that is over, and a session."""
    made = hub(transaction("one"), transaction("two", source={"files": ["<%n%>"]}), diplomat={"sessions": {"limit": 2}})
    made.log_in()
    made.run("one")
    return made


@pytest.fixture
def working(dock):
    """The hub with its worker, and no job that waits."""
    with dock.work():
        dock.finished("one")
        yield dock


@SETTINGS
@given(st.sampled_from(KINDS), PAIRS, st.sampled_from([quote, quote_plus]))
@example("logView", [("transactionName", "one"), ("sequence", "1"), ("searchText", "%_\\")], quote)
@example("runNow", [("transactionName", "two"), ("var", "n|<%n%>|x")], quote_plus)
@example("summary", [("transactionID", "9" * 400)], quote)
@example("logBuffer", [("logViewID", "../../etc/passwd"), ("lineNum", "-" + "9" * 400)], quote)
def test_any_text_in_any_request_is_answered_in_xml_a2_e44_e45_e46(dock, kind, pairs, encode):
    """The status is one of the API's, equal to `statusCode`, the body parses, and no path of the machine is in it."""
    query = "&".join([f"requestType={kind}", *(f"{name}={encode(value)}" for name, value in pairs)])
    for method in ("GET", "POST"):
        answer = dock.call("", query_string=query, method=method)
        assert answer.status in (200, 400, 401, 404, 409), (query, answer.body)
        assert answer.text("statusCode") == str(answer.status)
        assert str(dock.data).encode() not in answer.body
    if kind == "disconnect":
        dock.cookie = None
        dock.directory.sessions.clear()
        dock.log_in()


@SETTINGS
@given(LABELS, st.one_of(st.just(""), LABELS))
@example("a/b%2F", "x/%25")
@example("\u2028\ufffe", "<![CDATA[&]]>")
def test_any_label_comes_back_in_the_list_of_clients_23_29_a20(dock, user_id, domain):
    """Both parts of the label come back as they went in, but for the characters that XML forbids."""
    dock.directory.sessions.clear()
    dock.cookie = None
    for _ in range(2):
        assert dock.connect(("domain", domain), user_id=user_id).status == 200
    answer = dock.connect()
    assert answer.status == 409
    one = answer.root.find("diplomatConnection")
    expected = ["" if not text.strip() else text.translate(FORBIDDEN) for text in (domain, user_id)]
    assert [one.findtext("sessionDomain"), one.findtext("sessionUserID")] == expected


@SETTINGS
@given(LABELS, LABELS)
@example("100%_", "%")
@example("İ", "i")
def test_a_search_finds_the_records_that_contain_its_text_51_53_a53(dock, label, text):
    """Every text is literal: a view has the lines of each record that contains it, and is 404 where none does."""
    dock.directory.sessions.clear()
    dock.cookie = None
    dock.log_in(user_id=label)
    dock.run("one")
    sequence = dock.status("one").findtext("jobHistory/sequence")
    (record,) = [row.text for row in dock.rows(f"SELECT text FROM job_log WHERE subject = '{int(sequence)}'")]
    for searched in (text, label):
        answer = dock.call("logView", ("transactionName", "one"), ("sequence", sequence), ("searchText", searched))
        if searched in record:
            assert (answer.status, answer.text("numLines")) == (200, "2")
            lines = dock.call("logBuffer", ("logViewID", answer.text("id")), ("lineNum", "0")).root.findall("line")
            assert lines[0].text.startswith(">Informational ")
            assert lines[1].text == record.translate(FORBIDDEN)
        else:
            assert answer.status in (200, 404)


@settings(SETTINGS, max_examples=25)
@given(VALUES, VALUES)
@example("..", ".")
@example("<%n%>", "<%n")
@example("[a-z]", "]")
def test_any_value_of_a_variable_stays_in_its_folder_32_a29_a31_e44(working, name, other):
    """The file of that very name is delivered and no other; a value that no name can have is 400."""
    for folder in ("from", "to"):
        for path in (working.data / folder).iterdir():
            path.unlink()
    names, folders = set(), {path.name for path in working.data.iterdir() if path.is_dir()}
    for one in {name, other}:
        with contextlib.suppress(OSError):
            (working.data / "from" / one).write_bytes(one.encode())
            names.add(one)
    answer = working.call("runNow", ("transactionName", "two"), ("var", f"n|{name}"))
    assert answer.status == (400 if name in (".", "..") else 200)
    if answer.status == 200:
        job = working.finished("two")
        delivered = set(os.listdir(working.data / "to"))  # noqa: PTH208
        # A value may be longer than a name can be.
        assert delivered == {name} & names
        assert job.findtext("completionStatus") == ("Successful" if delivered else "File(s) not Found")
    assert {path.name for path in working.data.iterdir() if path.is_dir()} == folders
