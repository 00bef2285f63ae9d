"""Readings of the parameters, the eight cells and the service's own log, each tried with values that differ by it."""

import pytest
from structlog.testing import capture_logs

from diplomat_svc.domain import states
from mft_common.events.backlog import OUTBOX


@pytest.fixture
def dock(hub, transaction):
    """A hub of some transactions whose names hold the separators of a query."""
    names = ("a b;c", "a+b", "one", "two")
    return hub(*(transaction(name) for name in names)).log_in()


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("transactionName=a+b;c", "a b;c"),
        ("transactionName=a%20b%3Bc", "a b;c"),
        ("transactionName=a%2Bb", "a+b"),
        ("transactionName=one;transactionName=two", None),
        ("transactionName=one&transactionName=two", "one"),
        ("transactionName=two&transactionName=one&transactionID=", "two"),
        ("transactionID=3&transactionID=4", "one"),
        ("TransactionName=two&transactionName=one&unknown=two&=x&y", "one"),
        ("transactionName=One", None),
    ],
)
def test_a_query_names_one_transaction_a14_a15_a16(dock, query, name):
    """A plus is a space, a semicolon separates nothing; of two values the first counts; case counts."""
    answer = dock.call("", query_string=f"requestType=runNow&{query}")
    assert answer.status == (400 if name is None else 200)
    found = dock.rows("SELECT name FROM transactions JOIN jobs ON transaction_id = id")
    assert [row.name for row in found] == ([] if name is None else [name])


def test_of_two_times_the_first_counts_and_blank_ones_are_absent_a14_a15(dock):
    """`since` in the future shows nothing, a blank one all; a blank `disconnect` and `domain` are as if left out."""
    for pairs, count in (([("since", "9" * 15), ("since", "0")], 0), ([("since", " ")], 4), ([], 4)):
        assert len(list(dock.call("transactionStatuses", *pairs).root.iter("transactionStatus"))) == count
    dock.cookie = None
    assert dock.connect(("disconnect", " "), ("domain", " ")).status == 200
    assert {session.label for session in dock.directory.sessions.values()} == {"Jim"}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (["n|a|b"], {"n": "a|b"}),
        (["n|"], {"n": ""}),
        (["n|1", "m|2", "n|3"], {"n": "3", "m": "2"}),
        (["n|<%m%>", "m|x"], {"n": "<%m%>", "m": "x"}),
        (["N|1", "n|2"], {"N": "1", "n": "2"}),
    ],
)
def test_a_variable_is_split_at_its_first_bar_a27(dock, given, stored):
    """The value may be empty and may hold more bars; of two with one name the last counts."""
    dock.run("one", *[("var", one) for one in given])
    job = dock.service.operations.writer
    with dock.service.database.write() as connection:
        assert job.take(connection, "worker")[0].variables == stored


@pytest.mark.parametrize("name", ["transactionID", "transactionName", "since", "sequence", "lineNum"])
def test_a_message_names_the_parameter_at_fault_a3_10(dock, name):
    """The sentence names it and not its value."""
    kind = {"since": "transactionStatuses", "sequence": "logView", "lineNum": "logBuffer"}.get(name, "runNow")
    others = [("logViewID", "x")] if name == "lineNum" else [("transactionName", "one")] if name == "sequence" else []
    answer = dock.call(kind, *others, (name, "secret value"))
    assert answer.status == 400
    assert name in answer.text("message")
    assert "secret value" not in answer.text("message")


@pytest.mark.parametrize(
    ("pair", "subject"),
    [
        ("since=%zz", "The parameter since "),
        ("var=%00", "The parameter var "),
        (f"searchText={'x' * 8193}", "The parameter searchText "),
        ("%zz=1", "A parameter "),
        (f"{'x' * 8193}=%zz", "A parameter "),
        ("%3Cb%3E=%zz", "A parameter "),
    ],
)
def test_a_message_names_the_parameter_that_cannot_be_read_a3_a16_a17(dock, pair, subject):
    """By its name, unless that cannot be one of the API's."""
    answer = dock.call("", query_string=f"requestType=transactionStatuses&{pair}")
    assert answer.status == 400
    assert answer.text("message").startswith(subject)


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@pytest.mark.parametrize(
    ("row", "completions"),
    [
        (0, [None, "Successful", "File(s) not Found"]),
        (1, ["Warning", "Required File(s) Not Found", "Cancelled", "Terminated", "Preview License"]),
        (2, ["Failure", "Incomplete", "Missed"]),
        (3, ["Critical"]),
    ],
)
def test_each_end_has_its_cell_a41(row, completions, direction):
    """Column 0 is inbound, and the row is the severity of the end; 0 also while a job is active or none ever ran."""
    cells = {states.cell(direction, completion) for completion in completions}
    assert cells == {(row, int(direction == "outbound"))}
    assert set(states.COMPLETIONS) >= {completion for completion in completions if completion}


def _cell(made, row, column=1):
    root = made.call("transactionStatuses").root
    return root.find(f"transactionStatusSummary[@row='{row}'][@column='{column}']").get("value")


def test_a_job_that_is_active_moves_its_transaction_to_the_first_row_a41(dock):
    """The active job comes first, whatever the job before ended with."""
    dock.run("one")
    writer = dock.service.operations.writer
    with dock.service.database.write() as connection:
        job, _ = writer.take(connection, "worker")
        writer.end(connection, job, "Failure", "no reason", "worker")
    assert (_cell(dock, 0), _cell(dock, 2)) == ("3", "1")
    dock.run("one")
    assert (_cell(dock, 0), _cell(dock, 2)) == ("4", "0")
    assert dock.call("cancel", ("transactionName", "one")).status == 200
    assert (_cell(dock, 0), _cell(dock, 1)) == ("3", "1")


def test_a_request_is_one_line_of_the_services_log_a59(dock):
    """It has label, type and code, also of a connect and of what is refused, and no value of a parameter."""
    dock.cookie = None
    with capture_logs() as lines:
        dock.connect(("domain", "HQ"), user_id="Ann", password="wrong")
        dock.log_in(user_id="Ann")
        dock.run("one", ("var", "n|secret-value"))
        dock.call("summary", ("transactionName", "nothing of this name"))
        dock.call("nonsense")
        dock.call("disconnect")
        dock.call("disconnect")
    told = [(line["label"], line["kind"], line["status"]) for line in lines if line["event"] == "diplomat.request"]
    assert told == [
        *(("HQ/Ann", "connect", 401), ("Ann", "connect", 200), ("Ann", "runNow", 200), ("Ann", "summary", 400)),
        *(("Ann", "nonsense", 400), ("Ann", "disconnect", 200), ("", "disconnect", 401)),
    ]
    assert "secret-value" not in str(lines)
    assert "nothing of this name" not in str(lines)


@pytest.mark.parametrize("how", ["disconnect", "evict"])
def test_jobs_go_on_when_their_session_ends_20(dock, how):
    """The job of a client that disconnects, or that another one evicts, is carried out all the same."""
    (dock.data / "from" / "f").write_bytes(b"x")
    dock.run("one")
    if how == "disconnect":
        assert dock.call("disconnect").status == 200
    else:
        (session,) = dock.directory.sessions.values()
        dock.cookie = None
        assert dock.connect(("disconnect", session.public_id)).status == 200
    dock.cookie = None
    dock.log_in()
    with dock.work():
        assert dock.finished("one").findtext("completionStatus") == "Successful"
    rows = dock.rows(f"SELECT 1 FROM {OUTBOX.name} WHERE type = 'transfer.ended.v1' AND data LIKE '%Jim%'")
    assert len(rows) == 1


def test_a_transaction_that_a_grant_does_not_name_is_unknown_in_every_request_a22_a26(dock):
    """By name and by id the answer is that of a transaction that does not exist, and nothing happens to its job."""
    dock.run("one")
    dock.directory.grants["Some"] = {"transactions": ["t*"]}
    dock.log_in(user="Some")
    hidden, unknown = ([("transactionID", number), ("transactionName", number)] for number in ("3", "999"))
    hidden[1] = ("transactionName", "one")
    for kind in ("runNow", "cancel", "terminate", "summary"):
        for pair, other in zip(hidden, unknown, strict=True):
            answer = dock.call(kind, pair)
            assert (answer.status, answer.body) == (400, dock.call(kind, other).body)
    view = dock.call("logView", ("transactionName", "one"), ("sequence", "1"))
    assert (view.status, view.body) == (404, dock.call("logView", ("transactionName", "x"), ("sequence", "1")).body)
    blocks = dock.call("jobHistories", *hidden).root.findall("jobHistories")
    assert [(one.findtext("transactionName"), len(one.findall("jobHistory"))) for one in blocks] == [
        ("", 0),
        ("one", 0),
    ]
    assert [one.text for one in dock.call("transactionStatuses").root.iter("transactionName")] == ["two"]
    assert [row.status for row in dock.rows("SELECT status FROM jobs")] == ["Queued"]
