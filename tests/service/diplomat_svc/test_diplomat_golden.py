"""Every kind of answer against a file that was written by hand from the specification."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from diplomat_svc.operations.file_messages import FileEnd
from diplomat_svc.operations.owned_job import OwnedJob

GOLDEN = Path(__file__).parents[2] / "golden" / "diplomat_svc"
NOW = 1_780_000_000_000


@pytest.fixture
def dock(hub, transaction):
    """A hub of three transactions whose clock stands still, so that stamps alone make times grow (A38)."""

    def make(**options):
        definitions = (
            transaction("never <run>", direction="inbound"),
            transaction("running"),
            transaction("failed"),
        )
        return hub(*definitions, clock=lambda: NOW, **options)

    return make


def _connect(dock):
    return dock().connect()


def _connect_limit_reached(dock):
    made = dock(diplomat={"sessions": {"limit": 2}})
    made.connect(("domain", "quay"), user_id="crane/4")
    made.connect(user="Viewer")
    return made.connect()


def _connect_password_expired(dock):
    return dock().connect(user="Expired")


def _disconnect(dock):
    return dock().log_in().call("disconnect")


def _run_now(dock):
    return dock().log_in().call("runNow", ("transactionName", "running"))


def _transaction_statuses(dock):
    made = dock().log_in()
    made.run("running")
    made.run("failed")
    writer = made.service.operations.writer
    with made.service.database.write() as connection:
        running, _ = writer.take(connection, "worker")
        failed, _ = writer.take(connection, "worker")
    owned = OwnedJob(writer, "worker", running)
    owned.files.found(2, 1000)
    owned.files.begin(0, "a.txt", "a.out", 600)
    owned.files.end([FileEnd(place=0, completion="Successful", text="Delivered.", retries=1, sha256="0" * 64)])
    owned.files.begin(1, "b.txt", "b.out", 400)
    owned.files.progress(1, 150)
    owned = OwnedJob(writer, "worker", failed)
    owned.files.found(1, 7)
    owned.files.begin(0, "c.txt", "c.txt", 7)
    owned.files.end([FileEnd(place=0, completion="Failure", text="Failed.", retries=2)])
    owned.end("Failure")
    return made.call("transactionStatuses")


def _cancel(dock):
    made = dock().log_in()
    made.run("running")
    return made.call("cancel", ("transactionName", "running"))


def _job_histories(dock):
    made = dock().log_in()
    made.run("failed")
    writer = made.service.operations.writer
    with made.service.database.write() as connection:
        failed, _ = writer.take(connection, "worker")
    owned = OwnedJob(writer, "worker", failed)
    owned.files.found(1, 7)
    owned.files.begin(0, "a & b.txt", "c.txt", 7)
    owned.files.end([FileEnd(place=0, completion="Failure", text="Failed.", retries=2)])
    owned.end("Failure")
    made.run("failed")
    return made.call("jobHistories", ("transactionName", "no <such>"), ("transactionID", "3"))


def _summary(dock):
    made = dock().log_in()
    made.run("running")
    return made.call("summary", ("transactionName", "running"))


def _log_view(dock):
    made = dock().log_in()
    made.run("running")
    return made.call("logView", ("transactionName", "running"), ("sequence", "1"))


def _log_buffer(dock):
    made = dock(diplomat={"log_buffer_lines": 4}).log_in()
    made.run("running")
    made.call("cancel", ("transactionName", "running"))
    view = made.call("logView", ("transactionName", "running"), ("sequence", "1")).text("id")
    return made.call("logBuffer", ("logViewID", view), ("lineNum", "5"))


def _remove_log_view(dock):
    made = dock().log_in()
    made.run("running")
    view = made.call("logView", ("transactionName", "running"), ("sequence", "1")).text("id")
    return made.call("removeLogView", ("logViewID", view))


def _error_409(dock):
    made = dock(diplomat={"histories": {"enabled": False}}).log_in()
    return made.call("jobHistories", ("transactionName", "running"))


def _error_400(dock):
    return dock().log_in().call("runNow", ("transactionName", "no such"))


def _error_401(dock):
    return dock().connect(password="wrong")


def _error_404(dock):
    made = dock()
    return made.call("", path="/diplomat/Elsewhere")


def _error_405(dock):
    return dock().call("connect", method="PUT")


def _error_500(dock):
    made = dock().log_in()
    with made.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE transactions SET definition = 'no JSON'")
    return made.call("runNow", ("transactionName", "running"))


def _error_501(dock):
    return dock(diplomat={"api": False}).connect()


ANSWERS = {
    "connect": _connect,
    "connect_limit_reached": _connect_limit_reached,
    "connect_password_expired": _connect_password_expired,
    "cancel": _cancel,
    "disconnect": _disconnect,
    "job_histories": _job_histories,
    "log_buffer": _log_buffer,
    "log_view": _log_view,
    "remove_log_view": _remove_log_view,
    "summary": _summary,
    "error_409": _error_409,
    "run_now": _run_now,
    "transaction_statuses": _transaction_statuses,
    "error_400": _error_400,
    "error_401": _error_401,
    "error_404": _error_404,
    "error_405": _error_405,
    "error_500": _error_500,
    "error_501": _error_501,
}


def _matches(found, expected):
    """Compare two elements; `*` as expected text stands for any that is not empty."""
    text, wanted = (found.text or "").strip(), (expected.text or "").strip()
    same = found.tag == expected.tag and found.attrib == expected.attrib and len(found) == len(expected)
    return same and (bool(text) if wanted == "*" else text == wanted) and all(map(_matches, found, expected))


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.xml")))
def test_an_answer_is_the_golden_one_element_by_element_and_in_order(dock, name):
    """Status, type of the answer, and every element at its place."""
    expected = ElementTree.parse(GOLDEN / f"{name}.xml").getroot()
    answer = ANSWERS[name](dock)
    assert answer.status == int(expected.get("status"))
    assert answer.headers["Content-Type"] == "text/xml; charset=UTF-8"
    assert _matches(answer.root, expected[0]), answer.body.decode()
