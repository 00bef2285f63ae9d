"""logView, logBuffer and removeLogView: items 51 to 58 and readings A49 to A60, through the application."""

import os
import re

import pytest

from diplomat_svc.operations.log_views import sweep
from mft_common.events import Envelope, SessionClosed


@pytest.fixture
def dock(hub, transaction):
    """A hub whose transaction has one job with a few records, and buffers of three lines."""
    made = hub(transaction("one"), transaction("two"), diplomat={"log_buffer_lines": 3}).log_in()
    made.run("one")
    return made


def _record(made, *texts, sequence=1):
    writer = made.service.operations.writer
    with made.service.database.write() as connection:
        job = writer.take(connection, "worker")[0]
        for text in texts:
            writer.record(connection, job, text)


def _view(made, *pairs, name="one", sequence="1"):
    return made.call("logView", ("transactionName", name), ("sequence", sequence), *pairs)


def _open(made, *pairs):
    answer = _view(made, *pairs)
    assert answer.status == 200, answer.body
    return answer.text("id")


def _buffer(made, view, line):
    return made.call("logBuffer", ("logViewID", view), ("lineNum", str(line)))


def _lines(made, view):
    first = _buffer(made, view, 0)
    found, number = [], 0
    while True:
        some = [line.text for line in first.root.findall("line")]
        found += some
        number += 1
        first = _buffer(made, view, number * 3)
        if int(first.text("bufferNumber")) < number:
            return found


def test_a_view_has_its_id_lines_and_buffer_size_52_a56(dock):
    """One record is two lines; the id has the API's shape and another one each time."""
    answer = _view(dock)
    assert answer.outline() == ["statusCode", "id", "numLines", "bufferSize"]
    assert answer.root.attrib == {"responseType": "logViewResponse"}
    assert re.fullmatch(r"log[0-9]{39}\.tmp", answer.text("id"))
    assert (answer.text("numLines"), answer.text("bufferSize")) == ("2", "3")
    assert _open(dock) != answer.text("id")


def test_a_record_is_a_header_and_a_message_58_a58_a59(hub, transaction):
    """The header has severity and time in the configured zone; the message names the transaction and the label."""
    zone = {"logs": {"time_zone": "America/New_York"}}
    made = hub(transaction('o"ne'), diplomat=zone, clock=lambda: 1_780_000_000_000).log_in(user_id="Jim")
    made.run('o"ne')
    view = _view(made, name='o"ne').text("id")
    answer = _buffer(made, view, 0)
    assert answer.outline() == ["statusCode", "bufferNumber", "lineNumber", "line", "line"]
    header, message = (line.text for line in answer.root.findall("line"))
    assert re.fullmatch(r">Informational May 28, 2026 4:26:40 PM EDT", header)
    assert message == 'Transaction "o"ne"; Scheduled by request. [Jim]'


def test_buffers_are_aligned_and_lines_outside_clamp_54_55_a49_a50(dock):
    """Every line from below 0 to past the end gives the buffer that holds it, with that buffer's first line."""
    _record(dock, *(f"record {n}" for n in range(4)))
    view = _open(dock)
    lines = _lines(dock, view)
    assert len(lines) == 12
    for asked, number in [
        (-1, 0),
        (0, 0),
        (2, 0),
        (3, 1),
        (8, 2),
        (11, 3),
        (12, 3),
        ("9" * 400, 3),
        ("-" + "9" * 400, 0),
    ]:
        answer = _buffer(dock, view, asked)
        assert (answer.text("bufferNumber"), answer.text("lineNumber")) == (str(number), str(3 * number))
        assert [line.text for line in answer.root.findall("line")] == lines[3 * number : 3 * number + 3]


@pytest.mark.parametrize("line", [None, "", " ", "x", "1.0", "0x1"])
def test_a_line_that_is_no_integer_is_400_a51(dock, line):
    """A missing, blank or broken `lineNum` is 400."""
    pairs = [] if line is None else [("lineNum", line)]
    assert dock.call("logBuffer", ("logViewID", _open(dock)), *pairs).status == 400


def test_a_view_is_frozen_a52(dock):
    """Records that come later are not in it."""
    view = _open(dock)
    before = _lines(dock, view)
    _record(dock, "later")
    assert _lines(dock, view) == before
    assert len(_lines(dock, _open(dock))) == len(before) + 4


def test_a_search_keeps_whole_records_51_53_a53(dock):
    """The text is literal and case-sensitive, found in header or message; a hit keeps both lines."""
    _record(dock, "100%_sure", "other")
    assert [line.partition("; ")[2] for line in _lines(dock, _open(dock, ("searchText", "100%_")))] == ["", "100%_sure"]
    assert _view(dock, ("searchText", ">Informational")).text("numLines") == "8"
    assert _view(dock, ("searchText", "SURE")).status == 404
    assert _view(dock, ("searchText", "100%")).text("numLines") == "2"
    assert _view(dock, ("searchText", "")).text("numLines") == "8"


@pytest.mark.parametrize(
    ("name", "sequence", "status"),
    [
        ("one", "0000000000000000000001", 200),
        ("one", "2", 404),
        ("two", "1", 404),
        ("unknown", "1", 404),
        ("one", "9" * 200, 404),
        ("one", "x", 400),
        ("one", "-1", 400),
        ("one", "", 400),
        ("", "1", 400),
    ],
)
def test_name_and_sequence_must_be_one_jobs_51_53_a25_a57(dock, name, sequence, status):
    """Both are required; the sequence has any padding; a pair that is no job is 404."""
    assert _view(dock, name=name, sequence=sequence).status == status


def test_a_job_without_a_log_is_404_53(dock):
    """A history may outlive its log."""
    with dock.service.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM job_log")
    assert _view(dock).status == 404


def test_an_id_is_not_a_parameter_51(dock):
    """`transactionID` does not stand for the name."""
    assert dock.call("logView", ("transactionID", "1"), ("sequence", "1")).status == 400


def test_remove_frees_the_view_56_57(dock):
    """After removeLogView both requests are 400, and its file is gone."""
    view = _open(dock)
    folder = dock.data / "state" / "diplomat-svc" / "log-views"
    assert len(list(folder.iterdir())) == 1
    answer = dock.call("removeLogView", ("logViewID", view))
    assert (answer.status, answer.outline()) == (200, ["statusCode"])
    assert list(folder.iterdir()) == []
    assert dock.call("removeLogView", ("logViewID", view)).status == 400
    assert _buffer(dock, view, 0).status == 400
    assert dock.call("removeLogView").status == 400


@pytest.mark.parametrize("view", ["log1.tmp", "../../diplomat.db", "%00", "x" * 5000])
def test_an_unknown_view_is_400_56_a56(dock, view):
    """An id is looked up and never a path."""
    assert _buffer(dock, view, 0).status == 400
    assert dock.call("removeLogView", ("logViewID", view)).status == 400


def test_a_view_is_of_its_session_alone_a55(dock):
    """Another session of the same account gets 400; the session's end removes the view."""
    view, mine = _open(dock), dock.cookie
    dock.cookie = None
    dock.log_in()
    assert _buffer(dock, view, 0).status == 400
    assert dock.call("disconnect", cookie=mine).status == 200
    assert dock.rows("SELECT count(*) FROM job_log_view")[0][0] == 0


def test_a_session_has_fifty_views_and_the_oldest_goes_a55(dock):
    """The fifty-first view takes the place of the first."""
    views = [_open(dock) for _ in range(51)]
    assert _buffer(dock, views[0], 0).status == 400
    assert {_buffer(dock, view, 0).status for view in views[1:]} == {200}


@pytest.mark.parametrize("by", ["event", "sweep"])
def test_views_end_with_a_session_that_ends_elsewhere_a55(dock, by):
    """An idle or evicted session takes its views along: at its event, or at the next sweep where that was early."""
    view = _open(dock)
    views, directory = dock.service.operations.log_views.views, dock.directory
    (session,) = directory.sessions.values()
    directory.list_sessions = lambda _service: tuple(directory.sessions.values())
    sweep(dock.service.database, views, directory)
    assert _buffer(dock, view, 0).status == 200
    if by == "event":
        event = SessionClosed(service="diplomat-svc", public_id=session.public_id, account="x", reason="idle")
        envelope = Envelope(
            id="1", source="gateway", type=SessionClosed.TYPE, subject=session.public_id, time=1, data=event
        )
        with dock.service.database.write() as connection:
            dock.service.handlers()[SessionClosed](connection, envelope)
    else:
        held, directory.sessions = directory.sessions, {}
        sweep(dock.service.database, views, directory)
        directory.sessions = held
    assert _buffer(dock, view, 0).status == 400


def test_the_sweep_frees_files_that_a_killed_process_left_57(dock):
    """A file of no view goes after an hour, and that of a view stays."""
    view = _open(dock)
    directory = dock.directory
    directory.list_sessions = lambda _service: tuple(directory.sessions.values())
    left = dock.data / "state" / "diplomat-svc" / "log-views" / "left"
    left.write_bytes(b"x")
    os.utime(left, (1, 1))
    sweep(dock.service.database, dock.service.operations.log_views.views, directory)
    assert not left.exists()
    assert _buffer(dock, view, 0).status == 200


def test_no_name_or_value_can_forge_a_record_a60(hub, transaction):
    """Line ends in a label, a name or a text are escapes, so that each record has two lines."""
    made = hub(transaction("one")).log_in(user_id=">Error January 1, 2026")
    made.run("one")
    _record(made, "\n>Critical May 1, 2026 1:00:00 AM UTC\nforged \x1b[2J \u2028 \ud800")
    lines = [line.text for line in _buffer(made, _open(made), 0).root.findall("line")]
    assert len(lines) == 6
    assert [line.startswith(">") for line in lines] == [True, False] * 3
    assert r"\n>Critical" in lines[5]
    assert "\x1b" not in lines[5]
