"""Notifications: rows of the change's own transaction, delivered at least once to real servers over TLS."""

import base64
import hashlib
import hmac
import json
import ssl
import threading

import pytest
import sqlalchemy as sa

from crossdock import certificate
from mft_common import logs
from mft_common.notify import (
    Channels,
    Delivery,
    Mail,
    Notifications,
    Webhook,
    create_table,
    delivery_task,
    drop_table,
    mail,
    mails,
    webhook,
    webhooks,
)
from tests.servers.clock import Clock
from tests.servers.databases import Op, with_tables
from tests.servers.dripping import Dripping
from tests.servers.hook import Hook
from tests.servers.made_secrets import secret
from tests.servers.mail import MailServer
from tests.servers.processes import free_port, wait_until
from tests.servers.stopwatch import Stopwatch

METADATA = sa.MetaData()
NOTIFICATIONS = Notifications(METADATA)
SECRET = secret("hook-secret")
PASSWORD = secret("mail-password")
DAY_MS = 86_400_000
TOKEN = "url-token-2342"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """Return a server's TLS context, and the path of the certificate to trust."""
    crt, key = certificate.ensure(tmp_path_factory.mktemp("tls"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(crt, key)
    return context, str(crt)


@pytest.fixture
def hook(tls):
    made = Hook(tls[0])
    yield made
    made.close()


@pytest.fixture
def server(tls):
    made = MailServer(tls[0], user="hub", password=PASSWORD)
    yield made
    made.close()


@pytest.fixture
def database(database_url):
    """A database with the table as a migration makes it."""
    with with_tables(database_url, METADATA, create_table) as made:
        yield made


@pytest.fixture
def now():
    return Clock(1_790_000_000_000)


@pytest.fixture
def channels(hook, server, tls):
    """The configuration, which a test may change."""
    hooks = {"hook": Webhook(url=f"{hook.url}/in?token={TOKEN}", secret=SECRET, ca=tls[1])}
    sender = Mail(
        host="localhost", port=server.port, sender="hub@crossdock.test", user="hub", password=PASSWORD, ca=tls[1]
    )
    return [Channels(webhooks=hooks, mail=sender)]


@pytest.fixture
def delivery(database, now, channels):
    return Delivery(
        database=database, notifications=NOTIFICATIONS, channels=lambda: channels[-1], first_ms=1000, most_ms=4000,
        tries=4, now=now,
    )  # fmt: skip


def add(database, *notifications):
    with database.write() as connection:
        NOTIFICATIONS.add(connection, *notifications)


def listing(database, *, given_up):
    with database.read() as connection:
        return NOTIFICATIONS.listing(connection, given_up=given_up)


def hooked(name="hook", **data):
    return webhook(name, "job.ended", data, 1_790_000_000_000)


def test_a_webhook_is_signed_with_its_time_and_its_id(database, delivery, hook):
    """The signature is that of Standard Webhooks, over the id, the time of the attempt and the body."""
    add(database, hooked(job="ü", completion="Failure"))
    assert delivery.step() == 1
    ((path, headers, body),) = hook.requests
    assert path == f"/in?token={TOKEN}"
    assert json.loads(body) == {
        "type": "job.ended", "timestamp": "2026-09-21T14:13:20.000Z", "data": {"job": "ü", "completion": "Failure"},
    }  # fmt: skip
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["Content-Type"] == "application/json"
    assert (delivery.step(), listing(database, given_up=False), listing(database, given_up=True)) == (0, [], [])


def test_a_mail_is_sent_after_starttls_and_login(database, delivery, server):
    """Each address gets a mail of its own, and nothing of the mail or the password is sent before TLS."""
    add(database, *mail(["a@x.test", "b@x.test"], "Job failed:\r\nBcc: c@x.test", "Größe 3\n.\nend", 1_790_000_000_000))
    assert delivery.step() == 2
    assert sorted(recipient for _, recipient, _ in server.mails) == ["TO:<a@x.test>", "TO:<b@x.test>"]
    text = server.mails[0][2]
    assert "Subject: Job failed: Bcc: c@x.test" in text
    assert "From: hub@crossdock.test" in text
    assert "Date: Mon, 21 Sep 2026 14:13:20 +0000" in text
    assert "Gr=C3=B6=C3=9Fe 3" in text or "Größe 3" in text or "R3LDtsOfZSAz" in text
    before = server.said[: server.said.index("STARTTLS")]
    assert all(line.startswith("ehlo") for line in before)
    assert server.said.count("STARTTLS") == 2


def test_a_row_that_is_rolled_back_is_never_sent(database, delivery, hook):
    """A change that did not happen notifies nobody."""

    def fail():
        with database.write() as connection:
            NOTIFICATIONS.add(connection, hooked())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert delivery.step() == 0
    assert hook.requests == []


def test_failures_are_repeated_with_growing_pauses_and_the_same_id(database, delivery, hook, now):
    """Redirects are failures too: nothing is sent to where they point."""
    add(database, hooked())
    hook.answers = [500, 302, 404]
    tried = []
    for _ in range(16):
        if delivery.step():
            tried.append(now.at - 1_790_000_000_000)
        now.at += 500
    assert tried == [0, 1000, 3000, 7000]
    assert [path for path, _, _ in hook.requests] == [f"/in?token={TOKEN}"] * 4
    assert len({headers["webhook-id"] for _, headers, _ in hook.requests}) == 1
    assert (listing(database, given_up=False), listing(database, given_up=True)) == ([], [])


def test_after_its_last_attempt_an_operator_finds_it_and_replays_or_discards_it(database, delivery, hook, now):
    """The reason is there, and a replay begins with the first pause again."""
    add(database, hooked(number=1), hooked(number=2))
    hook.answers = [503] * 8
    for _ in range(20):
        delivery.step()
        now.at += 1000
    given_up = listing(database, given_up=True)
    assert [(one.attempts, one.reason) for one in given_up] == [(4, "the receiver answered 503")] * 2
    with database.write() as connection:
        assert NOTIFICATIONS.discard(connection, [given_up[0].id]) == 1
        assert NOTIFICATIONS.replay(connection, ["no such id"]) == 0
        assert NOTIFICATIONS.replay(connection) == 1
    assert delivery.step() == 1
    assert json.loads(hook.requests[-1][2])["data"] == {"number": 2}
    assert (listing(database, given_up=False), listing(database, given_up=True)) == ([], [])


def test_a_notification_that_was_given_up_is_kept_for_90_days(database, delivery, hook, now):
    """The days count from when it was given up; one that is still tried stays, however old."""
    add(database, hooked(number=1))
    hook.answers = [503] * 4
    while not listing(database, given_up=True):
        now.at += 500
        delivery.step()
    add(database, hooked(number=2))
    now.at += 90 * DAY_MS
    assert delivery.purge() == 0
    assert [json.loads(one.body)["data"]["number"] for one in listing(database, given_up=True)] == [1]
    now.at += 1
    assert delivery.purge() == 1
    assert listing(database, given_up=True) == []
    assert delivery.step() == 1


def test_one_receiver_that_fails_delays_no_other(database, delivery, hook, server, now):
    """A notification in its pause holds up neither other receivers nor later ones of its own."""
    add(database, hooked(number=1), *mail(["a@x.test"], "s", "t", 0), hooked(number=2))
    hook.answers = [500]
    assert delivery.step() == 2
    assert len(server.mails) == 1
    assert delivery.step() == 1
    assert [json.loads(body)["data"]["number"] for _, _, body in hook.requests] == [1, 2]
    now.at += 1000
    assert delivery.step() == 1


@pytest.mark.parametrize("what", ["port", "certificate", "gone"])
def test_a_receiver_that_cannot_be_reached_or_trusted_gets_nothing(database, delivery, channels, hook, what):
    """The reason names neither the URL nor the token in it."""
    before = channels[-1].webhooks["hook"]
    changed = {
        "port": {"hook": Webhook(url=f"https://localhost:{free_port()}/?{TOKEN}", secret=SECRET, ca=before.ca)},
        "certificate": {"hook": Webhook(url=before.url, secret=SECRET)},
        "gone": {},
    }
    channels.append(Channels(webhooks=changed[what]))
    add(database, hooked())
    assert delivery.step() == 1
    ((one),) = listing(database, given_up=False)
    assert one.reason == {
        "port": "the request failed (ConnectionRefusedError)",
        "certificate": "the request failed (SSLCertVerificationError)",
        "gone": "this webhook is not configured any more",
    }[what]  # fmt: skip
    assert hook.requests == []


def test_a_mail_server_without_tls_gets_neither_password_nor_mail(database, delivery, server):
    """An attacker on the way who removes STARTTLS from the answer learns nothing."""
    server.offers_tls = False
    add(database, *mail(["a@x.test"], "s", "t", 0))
    delivery.step()
    assert listing(database, given_up=False)[0].reason == "the mail was not sent (SMTPNotSupportedError)"
    assert [line.split()[0] for line in server.said] == ["ehlo"]


def test_a_mail_server_with_another_certificate_gets_neither_password_nor_mail(database, delivery, server, channels):
    """Its certificate is verified against the authorities that the configuration names."""
    old = channels[-1].mail
    channels.append(Channels(mail=Mail(host=old.host, port=old.port, sender=old.sender, user="hub", password=PASSWORD)))
    add(database, *mail(["a@x.test"], "s", "t", 0))
    delivery.step()
    assert listing(database, given_up=False)[0].reason == "the mail was not sent (SSLCertVerificationError)"
    assert server.mails == []


def test_a_mail_over_implicit_tls(database, delivery, channels, tls):
    """`smtps:` speaks TLS from the first byte."""
    made = MailServer(tls[0], implicit=True)
    url = f"smtps://localhost:{made.port}"
    channels.append(Channels(mail=Mail.of_url(url, sender="hub@crossdock.test", ca=tls[1])))
    add(database, *mail(["a@x.test"], "s", "t", 0))
    assert delivery.step() == 1
    made.close()
    assert len(made.mails) == 1


def test_refusals_of_the_mail_server_are_told_by_their_numbers(database, delivery, server, channels, now):
    """A wrong password, an unknown address and a busy server; what the server says is not repeated."""
    old = channels[-1].mail
    server.refused, server.busy = {"nobody@x.test"}, 1
    add(database, *mail(["nobody@x.test", "a@x.test"], "s", "t", 0))
    delivery.step()
    found = {one.target: one.reason for one in listing(database, given_up=False)}
    assert found == {
        "nobody@x.test": "the mail server refused the address (550)",
        "a@x.test": "the mail server answered 451 (SMTPDataError)",
    }
    channels.append(
        Channels(mail=Mail(host=old.host, port=old.port, sender=old.sender, user="hub", password="wrong", ca=old.ca))
    )
    now.at += 1000
    delivery.step()
    reasons = {one.reason for one in listing(database, given_up=False)}
    assert reasons == {"the mail server answered 535 (SMTPAuthenticationError)"}


def test_a_mail_that_was_accepted_is_not_sent_again_because_the_goodbye_fails(database, delivery, server):
    """A server that closes the connection instead of an answer to QUIT has the mail."""
    server.drops_quit = True
    add(database, *mail(["a@x.test"], "s", "t", 0))
    assert [delivery.step(), delivery.step()] == [1, 0]
    assert len(server.mails) == 1


def test_a_worker_that_died_amid_an_attempt_is_followed_by_another(database, delivery, hook, now):
    """The attempt counts, and nobody else makes it while its time runs."""
    add(database, hooked())
    with database.write() as connection:
        assert len(NOTIFICATIONS.claim(connection, now(), now() + 180_000, 8)) == 1
    assert delivery.step() == 0
    now.at += 180_000
    assert delivery.step() == 1
    assert len(hook.requests) == 1


def test_a_late_failure_changes_nothing_of_a_later_attempt(database, delivery, hook, now):
    """Of two workers that tried one notification, the frozen one must not postpone or revive it."""
    add(database, hooked())
    with database.write() as connection:
        (frozen,) = NOTIFICATIONS.claim(connection, now(), now() + 1, 8)
    now.at += 10
    hook.answers = [500]
    assert delivery.step() == 1
    with database.write() as connection:
        NOTIFICATIONS.failed(connection, frozen, "late", 0, over=True)
    ((one),) = listing(database, given_up=False)
    assert (one.attempts, one.reason) == (2, "the receiver answered 500")


def test_a_clock_that_was_set_back_leaves_nothing_waiting_for_years(database, delivery, hook, now):
    """A time that lies later than any pause was written by the clock before."""
    add(database, hooked())
    hook.answers = [500]
    now.at += 40 * 365 * 86_400_000
    delivery.step()
    now.at -= 40 * 365 * 86_400_000
    assert delivery.step() == 1
    assert len(hook.requests) == 2


def test_several_workers_send_each_notification_once(database, delivery, hook, now, channels):
    """None is sent twice while no worker dies."""
    for number in range(30):
        add(database, hooked(number=number))
    stop = threading.Event()
    tasks = [delivery_task(f"notify {number}", delivery, poll=0.01) for number in range(3)]
    threads = [threading.Thread(target=task.run, args=(stop,)) for task in tasks]
    for thread in threads:
        thread.start()
    wait_until(lambda: not listing(database, given_up=False), what="an empty table")
    stop.set()
    for thread in threads:
        thread.join(20)
    assert sorted(json.loads(body)["data"]["number"] for _, _, body in hook.requests) == list(range(30))


def test_no_secret_is_in_a_log_a_reason_or_a_repr(database, delivery, hook, server, channels, now, capsys):
    """Neither the webhook's secret, nor the token in its URL, nor the mail server's password."""
    logs.configure("test", "debug")
    try:
        hook.answers = [500, 302, 204]
        server.busy = 1
        add(database, hooked(), *mail(["a@x.test"], "s", "t", 0))
        for _ in range(10):
            delivery.step()
            now.at += 1000
        channels.append(
            Channels(webhooks={"hook": Webhook(url=f"https://localhost:{free_port()}/{TOKEN}", secret="x")})
        )
        add(database, hooked(), *mail(["a@x.test"], "s", "t", 0))
        for _ in range(10):
            delivery.step()
            now.at += 1000
    finally:
        written = capsys.readouterr().err
        logs.configure("test", "info")
    assert "notification.given_up" in written
    assert "notification.delivered" in written
    shown = written + repr(channels) + repr(listing(database, given_up=True))
    assert [one for one in (SECRET, PASSWORD, TOKEN) if one in shown] == []


@pytest.mark.parametrize("kind", ["webhook", "mail"])
def test_a_receiver_that_drips_is_given_up_after_the_deadline_of_the_exchange(
    database, delivery, channels, kind, monkeypatch
):
    """Each byte comes within the limit of a read, so that only a deadline of the whole exchange ends it."""
    monkeypatch.setattr(webhooks, "EXCHANGE_S", 0.5)
    monkeypatch.setattr(mails, "EXCHANGE_S", 0.5)
    slow = Dripping(b"HTTP/1.1 200 OK\r\nX-Slow: " if kind == "webhook" else b"220 ")
    try:
        slow_hook = {"hook": Webhook(url=f"http://127.0.0.1:{slow.port}", secret=SECRET)}
        sender = Mail(host="127.0.0.1", port=slow.port, sender="hub@crossdock.test", tls="none")
        channels.append(Channels(webhooks=slow_hook, mail=sender))
        add(database, hooked() if kind == "webhook" else mail(["a@x.test"], "s", "t", 1)[0])
        since = Stopwatch()
        assert delivery.step() == 1
        assert since.seconds < 5
        (kept,) = listing(database, given_up=False)
        assert (kept.attempts, bool(kept.reason)) == (1, True)
    finally:
        slow.close()


def test_a_slow_receiver_holds_up_no_other_notification(database, delivery, channels, hook, monkeypatch):
    """While its exchange lasts, all notifications of another receiver are delivered, and it gets one attempt."""
    monkeypatch.setattr(webhooks, "EXCHANGE_S", 60.0)
    slow = Dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    stop = threading.Event()
    hooks = {**channels[-1].webhooks, "slow": Webhook(url=f"http://127.0.0.1:{slow.port}", secret=SECRET)}
    channels.append(Channels(webhooks=hooks))
    add(database, hooked("slow"), hooked("slow"), *(hooked(n=number) for number in range(5)))
    thread = threading.Thread(target=delivery_task("notify", delivery, poll=0.1).run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: len(listing(database, given_up=False)) == 2, within=10)
        assert len(hook.requests) == 5
        assert sorted(one.attempts for one in listing(database, given_up=False)) == [0, 1]
    finally:
        stop.set()
        slow.close()
        thread.join(20)


def test_a_worker_that_stops_waits_for_no_receiver_that_drips(database, delivery, channels, hook, now):
    """It ends within seconds, its process too, and the notification is tried again once its attempt's time is over."""
    slow = Dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    stop = threading.Event()
    channels.append(Channels(webhooks={"slow": Webhook(url=f"http://127.0.0.1:{slow.port}", secret=SECRET)}))
    add(database, hooked("slow"))
    thread = threading.Thread(target=delivery_task("notify", delivery, poll=0.1).run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: [one.attempts for one in listing(database, given_up=False)] == [1], what="the attempt")
        since = Stopwatch()
        stop.set()
        thread.join(60)
        assert not thread.is_alive()
        assert since.seconds < 5
        (left,) = [one for one in threading.enumerate() if one.name.startswith("notify")]
        assert left.daemon
    finally:
        slow.close()
    left.join(20)
    channels.append(Channels(webhooks={"slow": channels[0].webhooks["hook"]}))
    now.at += 200_000
    assert delivery.step() == 1
    assert listing(database, given_up=False) == []


def test_rows_that_were_given_up_or_wait_cost_a_claim_nothing(database, now):
    """A claim over 20,000 rows of one receiver takes about as long as one over few; it was quadratic."""
    rows = [
        {"id": f"{number}", "kind": "webhook", "target": "hook", "title": "t", "body": "", "created_at": 1,
         "given_up": number < 10_000, "not_before": 0, "attempts": 0}
        for number in range(20_000)
    ]  # fmt: skip
    with database.write() as connection:
        connection.execute(sa.insert(NOTIFICATIONS.table), rows)
    since = Stopwatch()
    with database.write() as connection:
        for number in range(100):
            (taken,) = NOTIFICATIONS.claim(connection, now(), now() + 180_000, 8)
            assert taken.id == str(10_000 + number)
    assert since.seconds < 5


def test_the_table_can_be_dropped_again(database):
    """A migration's downgrade leaves nothing of it."""
    with database.write() as connection:
        drop_table(Op(connection))
        assert sa.inspect(connection).get_table_names() == []
