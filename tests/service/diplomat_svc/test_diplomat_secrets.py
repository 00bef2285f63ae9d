"""Passwords, right and wrong, and secrets of endpoints stand in nothing that the service writes or answers."""

import contextlib
import json
import sqlite3

import pytest

from tests.servers.made_secrets import secret, traces
from tests.servers.secret_search import found_after_test
from tests.servers.web import Web
from tests.service.diplomat_svc.test_diplomat_hangs import endpoint_of

NOBODY = 9


@pytest.fixture
def made(hub, transaction, tmp_path):
    """A hub with a transaction for each kind of endpoint, none of which answers."""
    kinds = ("sftp", "ftp", "ftps", "s3", "http", "https")
    definitions = [
        transaction(
            kind,
            source={"url": f"endpoint:{kind}", "files": ["x"]},
            retries={"file": 0, "file_delay": "0s"},
            bandwidth="1MiB/s",
        )
        for kind in kinds
    ]
    endpoints = {kind: endpoint_of(kind, NOBODY, tmp_path) for kind in kinds}
    return hub(*definitions, endpoints=endpoints)


@pytest.mark.parametrize("body", [False, True])
def test_a_password_of_connect_is_in_no_log_and_no_answer_whether_right_or_wrong_a3(made, body, capfd):
    """In the query and in the body, right, wrong, and beside parameters that are at fault."""
    right, wrong = secret("password-of-diplomat"), secret("wrong password of diplomat")
    for password in (right, wrong):
        for user_id in ("Jim", "", "x" * 300):
            pairs = {"userID": user_id, "userName": "Administrator", "password": password}
            options = {"method": "POST", "data": pairs} if body else {}
            answer = made.call("connect", *(() if body else pairs.items()), **options)
            assert answer.status == (400 if user_id != "Jim" else 200 if password == right else 401)
            assert traces(answer.body + str(answer.headers).encode()) == []
    output = capfd.readouterr()
    assert traces((output.out + output.err).encode()) == []


def test_secrets_of_endpoints_are_in_no_history_summary_view_event_or_log(made, capfd, tmp_path):
    """Jobs that fail at each kind of endpoint say why, without what they would have logged in with."""
    made.log_in()
    bodies = []
    with made.work():
        for one in made.service.operations.configuration.transactions:
            made.run(one.name)
            assert made.finished(one.name).findtext("completionStatus") == "Failure"
            name = ("transactionName", one.name)
            bodies += [made.call(kind, name).body for kind in ("summary", "jobHistories")]
            sequence = str(int(made.status(one.name).findtext("jobHistory/sequence")))
            view = made.call("logView", name, ("sequence", sequence)).text("id")
            bodies.append(made.call("logBuffer", ("logViewID", view), ("lineNum", "0")).body)
    bodies.append(made.call("transactionStatuses").body)
    assert all(len(body) > 200 for body in bodies)
    events = [json.dumps([str(value) for value in row]) for row in made.rows("SELECT * FROM outbox")]
    assert len(events) > len(made.service.operations.configuration.transactions)
    output = capfd.readouterr()
    assert traces(b"".join(bodies)) == []
    assert traces("".join([*events, output.out, output.err]).encode()) == []
    # The views are open: their files are looked at too, and so is every table.
    assert [path for path in tmp_path.rglob("log-views/*") if path.stat().st_size]
    assert found_after_test("", tmp_path) == []


def test_the_query_of_a_url_is_in_no_summary_event_audit_record_and_log(hub, transaction, capfd, tmp_path):
    """A web server may give files to whoever knows the query; other accounts and systems see what a job did."""
    with Web(lambda request: request.answer(200, b"prices")) as web:
        source = {"url": f"{web.url}/daily?signature=0123456789abcdef", "files": ["a.csv"]}
        audit = {"audit": {"url": f"sqlite:///{tmp_path}/trail.db"}}
        made = hub(transaction("one", source=source, retries={"file": 0}), diplomat=audit).log_in()
        made.run("one")
        with made.work():
            made.finished("one")
    assert (tmp_path / "to/a.csv").read_bytes() == b"prices"
    assert all("signature=0123456789abcdef" in request.path for request in web.requests)
    summary = made.call("summary", ("transactionName", "one")).text("summary")
    assert f"Source: {web.url}/daily\n" in summary
    events = [str(tuple(row)) for row in made.rows("SELECT * FROM outbox")]
    assert f"{web.url.partition(':')[2]}/daily/a.csv" in "".join(events)
    records = [str(tuple(row)) for table in ("job_log", "files") for row in made.rows(f"SELECT * FROM {table}")]
    with contextlib.closing(sqlite3.connect(tmp_path / "trail.db")) as trail:
        audited = trail.execute("SELECT * FROM crossdock_audit_job").fetchall()
    assert len(audited) == 1
    assert "signature" not in "".join([summary, *events, *records, str(audited), *capfd.readouterr()])
