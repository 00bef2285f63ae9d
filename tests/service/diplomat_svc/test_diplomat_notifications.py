"""Notifications of ends and of late jobs: rows of the job's own change, sent to real servers."""

import json
import ssl

import pytest

from crossdock import certificate
from diplomat_svc.operations.lateness import report_late
from mft_common.notify import webhooks
from tests.servers.hook import Hook
from tests.servers.made_secrets import secret
from tests.servers.mail import MailServer

SECRET = secret("secret-of-hook")
PASSWORD = secret("password-of-mail")
TOKEN = secret("token-in-url")
ENVIRON = {"HOOK_SECRET": SECRET, "MAIL_PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """Return a server's TLS context, and the path of the certificate to trust."""
    crt, key = certificate.ensure(tmp_path_factory.mktemp("tls"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(crt, key)
    return context, str(crt)


@pytest.fixture
def hook():
    made = Hook(None)
    yield made
    made.close()


@pytest.fixture
def server(tls, monkeypatch):
    """A mail server with STARTTLS, whose certificate the system trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", tls[1])
    made = MailServer(tls[0], user="hub@x.test", password=PASSWORD)
    yield made
    made.close()


def _mail(server):
    return {
        "smtp": f"smtp://localhost:{server.port}", "from": "hub@x.test", "password": {"env": "MAIL_PASSWORD"},
    }  # fmt: skip


def _hooked(hook, *on, **more):
    return {"on": list(on), "webhook": f"{hook.url}/in", "secret": {"env": "HOOK_SECRET"}, **more}


def _deliver(made):
    while made.service.delivery().step():
        pass


def _bodies(hook):
    return [json.loads(body) for _, _, body in hook.requests]


def _ended(made, name):
    made.run(name)
    with made.work():
        return made.finished(name).findtext("completionStatus")


def test_an_end_sends_a_signed_webhook_e43(hub, transaction, hook, tmp_path):
    """The body tells the job and its end; the signature is made with the referenced secret."""
    made = hub(transaction("one", notify=[_hooked(hook, "*")]), environ=ENVIRON).log_in()
    (tmp_path / "from/a.txt").write_text("a")
    assert _ended(made, "one") == "Successful"
    assert hook.requests == []
    _deliver(made)
    ((path, headers, body),) = hook.requests
    assert path == "/in"
    expected = webhooks.sign(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected
    message = json.loads(body)
    assert message["type"] == "job.ended"
    data = message["data"]
    assert (data["transactionName"], data["completionStatus"], data["recovered"]) == ("one", "Successful", False)
    job = made.status("one").find("jobHistory")
    assert (data["sequence"], str(data["scheduledTime"])) == (job.findtext("sequence"), job.findtext("startTime"))
    assert (data["filesFound"], data["filesSuccessful"], data["filesFailed"]) == (1, 1, 0)


def test_a_mail_goes_out_by_starttls_e43(hub, transaction, server):
    """Each address of a rule gets a mail; password and mail are sent after STARTTLS alone."""
    rule = {"on": ["File(s) not Found"], "email": ["a@x.test", "b@x.test"]}
    made = hub(transaction("one", notify=[rule]), diplomat={"mail": _mail(server)}, environ=ENVIRON).log_in()
    assert _ended(made, "one") == "File(s) not Found"
    _deliver(made)
    assert sorted(recipient for _, recipient, _ in server.mails) == ["TO:<a@x.test>", "TO:<b@x.test>"]
    text = server.mails[0][2]
    assert "Subject: one: File(s) not Found" in text
    assert "completionStatus: File(s) not Found" in text
    assert all(line.startswith("ehlo") for line in server.said[: server.said.index("STARTTLS")])


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("success", ["Successful", "Successful"]),
        ("failure", ["Failure"]),
        ("Failure", ["Failure"]),
        ("recovered", ["Successful"]),
        ("*", ["Successful", "Failure", "Successful"]),
        ("Critical", []),
    ],
)
def test_each_word_of_on_concerns_its_ends_e43(hub, transaction, hook, tmp_path, on, expected):
    """A success, a failure and a success: `recovered` is the last one alone."""
    one = transaction("one", notify=[_hooked(hook, on)], fail_if_not_found=True, delete_source=True)
    made = hub(one, environ=ENVIRON).log_in()
    (tmp_path / "from/a.txt").write_text("a")
    assert _ended(made, "one") == "Successful"
    assert _ended(made, "one") == "Failure"
    (tmp_path / "from/a.txt").write_text("a")
    assert _ended(made, "one") == "Successful"
    _deliver(made)
    assert [body["data"]["completionStatus"] for body in _bodies(hook)] == expected
    if on == "*":
        assert [body["data"]["recovered"] for body in _bodies(hook)] == [False, False, True]


def test_an_end_that_matches_a_rule_twice_is_sent_once_e43(hub, transaction, hook, tmp_path):
    """`success`, `recovered` and `*` of one rule give one notification."""
    made = hub(transaction("one", notify=[_hooked(hook, "success", "recovered", "*")]), environ=ENVIRON).log_in()
    (tmp_path / "from/a.txt").write_text("a")
    _ended(made, "one")
    _deliver(made)
    assert len(hook.requests) == 1


def test_a_late_job_is_reported_once_e43(hub, transaction, hook):
    """A job that is not over `after` its scheduled time is late, also while it waits; its end follows as usual."""
    clock = [1_790_000_000_000]
    rule = _hooked(hook, "late", after="5m")
    made = hub(transaction("one", notify=[rule]), environ=ENVIRON, clock=lambda: clock[0]).log_in()
    made.run("one")
    writer = made.service.operations.writer
    clock[0] += 299_000
    assert report_late(writer) == 0
    clock[0] += 2_000
    assert [report_late(writer), report_late(writer)] == [1, 0]
    _deliver(made)
    (body,) = _bodies(hook)
    assert (body["type"], body["data"]["status"], "completionStatus" in body["data"]) == ("job.late", "Queued", False)
    assert body["data"]["dueTime"] == body["data"]["scheduledTime"] + 300_000
    ((text,),) = made.rows("SELECT text FROM job_log WHERE severity = 'Warning'")
    assert "The job is late" in text


def test_a_job_is_late_at_the_next_time_of_its_schedule_e43(hub, transaction, hook):
    """Without `after` the next time of cron, in its zone, is the one by which a job is to be over."""
    # 2026-09-21T14:13:20Z, 16:13:20 in Amsterdam.
    clock = [1_790_000_000_000]
    schedule = {"cron": "30 16 * * *", "time_zone": "Europe/Amsterdam"}
    one = transaction("one", notify=[_hooked(hook, "late")], schedule=schedule)
    made = hub(one, environ=ENVIRON, clock=lambda: clock[0]).log_in()
    made.run("one")
    writer = made.service.operations.writer
    clock[0] += 999_000
    assert report_late(writer) == 0
    clock[0] += 1_000
    assert report_late(writer) == 1
    _deliver(made)
    assert _bodies(hook)[0]["data"]["dueTime"] == 1_790_001_000_000


def test_a_job_that_is_over_in_time_is_not_late_e43(hub, transaction, hook):
    """The end of a job takes its time away."""
    rule = _hooked(hook, "late", after="5m")
    made = hub(transaction("one", notify=[rule]), environ=ENVIRON).log_in()
    made.run("one")
    assert len(made.rows("SELECT * FROM lates")) == 1
    with made.work():
        made.finished("one")
    assert made.rows("SELECT * FROM lates") == []


def test_a_cancelled_waiting_job_is_notified_of_with_its_end_e4(hub, transaction, hook):
    """The row commits with the end, whoever ends the job."""
    made = hub(transaction("one", notify=[_hooked(hook, "Cancelled")]), environ=ENVIRON).log_in()
    made.run("one")
    assert made.call("cancel", ("transactionName", "one")).status == 200
    assert len(made.rows("SELECT * FROM notification")) == 1


def test_a_receiver_that_fails_changes_no_result_e43(hub, transaction, hook, tmp_path):
    """The attempt is repeated later, and the job is what it was."""
    hook.answers = [500]
    made = hub(transaction("one", notify=[_hooked(hook, "*")]), environ=ENVIRON).log_in()
    (tmp_path / "from/a.txt").write_text("a")
    assert _ended(made, "one") == "Successful"
    _deliver(made)
    ((attempts, reason),) = made.rows("SELECT attempts, reason FROM notification")
    assert (attempts, reason) == (1, "the receiver answered 500")
    assert made.status("one").find("jobHistory").findtext("completionStatus") == "Successful"


def test_secrets_of_receivers_are_stored_by_reference_alone_e43(hub, transaction, hook, server, tmp_path):
    """No row holds the secret, the password, or a URL that was given by reference."""
    rule = {"on": ["*"], "webhook": {"env": "HOOK_URL"}, "secret": {"env": "HOOK_SECRET"}, "email": ["a@x.test"]}
    environ = {**ENVIRON, "HOOK_URL": f"{hook.url}/in?{TOKEN}"}
    made = hub(transaction("one", notify=[rule]), diplomat={"mail": _mail(server)}, environ=environ).log_in()
    _ended(made, "one")
    tables = [name for (name,) in made.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    stored = "".join(str(made.rows(f'SELECT * FROM "{name}"')) for name in tables)
    assert "HOOK_URL" in stored
    assert not any(one in stored for one in (SECRET, PASSWORD, TOKEN))
    _deliver(made)
    assert (len(hook.requests), len(server.mails)) == (1, 1)


def test_a_worker_uses_the_receivers_that_are_applied_later(hub, transaction, hook):
    """A notification goes to the configuration in force, which a running worker reads from its database."""
    running = hub(transaction("one"), environ=ENVIRON).log_in()
    hub(transaction("one", notify=[_hooked(hook, "*")]), environ=ENVIRON)
    assert _ended(running, "one") == "File(s) not Found"
    _deliver(running)
    assert len(hook.requests) == 1
