"""The documents of both logs (10.6)."""

from hypothesis import given
from hypothesis import strategies as st

from mft_common import xml
from sertainty_svc.domain.logs import AgentLog, AgentStart, LogEntry, LoggedExecution, TaskLog
from sertainty_svc.schemas import logs

START = AgentStart(name="agent-20260131T120000.123Z.log", started_at=1_769_860_800_123, host="edge-7", version="1.0.0")
ENTRY = LogEntry(1_769_860_801_000, "Info", "text", {"event": "config.activated", "user": "operator"})
TRANSFER = "A" * 48


def execution(**values):
    """Return an execution that succeeded."""
    given = {"number": 1, "status": "Success", "began_at": 0, "ended_at": 1000, "files": 3, "errors": 0, "transfer": ""}
    return LoggedExecution(**{**given, **values})


def read(document):
    """Return the root of a document, read as our callers' documents are, without any limit that matters."""
    return xml.parse(document, max_elements=500_000)


def test_32_the_agents_log_has_its_start_and_entries():
    """Items 32 and 74: the attributes of 10.6, and of an entry those that have a value."""
    root = read(logs.agent_log(AgentLog(start=START, entries=[ENTRY])))
    assert (root.tag, root.attrib) == (
        "AgentLog",
        {
            "name": "agent-20260131T120000.123Z.log",
            "host": "edge-7",
            "application": "Crossdock",
            "version": "1.0.0",
            "started": "2026-01-31T12:00:00.123Z",
        },
    )
    (entry,) = root
    assert (entry.tag, entry.text) == ("Entry", "text")
    head = {"time": "2026-01-31T12:00:01.000Z", "level": "Info"}
    assert entry.attrib == {**head, "event": "config.activated", "user": "operator"}


def test_32_dropped_entries_are_counted_before_those_that_are_left():
    """Item 32: the place of the dropped entries is the log's begin."""
    root = read(logs.agent_log(AgentLog(start=START, entries=[ENTRY], truncated=12)))
    assert [(one.tag, one.get("count")) for one in root] == [("Truncated", "12"), ("Entry", None)]


def test_32_a_log_before_the_first_start_is_empty():
    """Item 32: the document is well-formed before any worker has run."""
    root = read(logs.agent_log(AgentLog(start=AgentStart())))
    assert (root.get("name"), root.get("started"), len(root)) == ("", "", 0)


def test_60_a_task_log_has_executions_with_their_own_entries():
    """Items 60 and 94: `end` and `transfer` only where there is one."""
    executions = [execution(transfer=TRANSFER), execution(number=2, status="Executing", ended_at=None)]
    entries = {1: [LogEntry(0, "Info", "protected", {"file": "crate.bin"})], 2: []}
    log = TaskLog(configuration="night", task="seal", executions=executions, entries=entries, truncated=3)
    root = read(logs.task_log(log))
    assert (root.tag, root.attrib) == ("TaskLog", {"config": "night", "task": "seal"})
    truncated, first, second = root
    assert (truncated.tag, truncated.get("count")) == ("Truncated", "3")
    assert first.attrib == {
        "number": "1",
        "start": "1970-01-01T00:00:00.000Z",
        "end": "1970-01-01T00:00:01.000Z",
        "status": "Success",
        "files": "3",
        "errors": "0",
        "transfer": TRANSFER,
    }
    assert (first[0].get("file"), first[0].text) == ("crate.bin", "protected")
    assert (second.get("status"), second.get("end"), second.get("transfer"), len(second)) == (
        "Executing",
        None,
        None,
        0,
    )


def test_60_a_task_that_never_ran_has_a_log_without_executions():
    """Item 60: the root alone."""
    root = read(logs.task_log(TaskLog(configuration="a&<\"'", task="seal")))
    assert (root.get("config"), len(root)) == ("a&<\"'", 0)


@given(st.text(), st.dictionaries(st.sampled_from(["file", "stream", "user"]), st.text()))
def test_32_60_any_text_leaves_as_well_formed_xml(text, attributes):
    """Items 32 and 60: characters that XML 1.0 forbids, and bytes that are no UTF-8, become U+FFFD."""
    entry = LogEntry(0, "Error", text, attributes, 1)
    agent = read(logs.agent_log(AgentLog(start=START, entries=[entry])))
    task = read(logs.task_log(TaskLog(configuration=text, task=text, executions=[execution()], entries={1: [entry]})))
    for found in (agent[0], task[0][0]):
        assert (found.text or "") == xml.text(text)
        assert {name: found.get(name) for name in attributes} == {
            name: xml.text(value) for name, value in attributes.items()
        }
    assert task.get("config") == xml.text(text)


def test_60_bytes_that_are_no_utf_8_become_replacement_characters():
    """Item 60: a file's name with such bytes is shown with U+FFFD."""
    name = b"a\xff.csv".decode("utf-8", "surrogateescape")
    log = TaskLog(
        configuration="c",
        task="t",
        executions=[execution()],
        entries={1: [LogEntry(0, "Info", "\x00\x1b[0m", {"file": name}, 1)]},
    )
    ((entry,),) = read(logs.task_log(log))
    assert (entry.get("file"), entry.text) == ("a\ufffd.csv", "\ufffd\ufffd[0m")
