"""Sessions behave alike in the directory's process and over HTTP, on SQLite and PostgreSQL."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.domain import AccountSpec
from mft_common import directory as d
from mft_common.errors import Unavailable
from tests.servers.directory_hub import ACCOUNTS, SERVICE


def test_session_life(hub):
    """A session is found by its token, listed by its public id, and gone when closed."""
    opened = hub.open(label="desk", address="192.0.2.1", idle=60.0, absolute=600.0)
    session, account = hub.directory.find_session(SERVICE, opened.token)
    assert session == opened.session
    assert (session.contact, session.label, session.address) == ("Partner One", "desk", "192.0.2.1")
    assert account.grant == {"contract": "std"}
    assert hub.directory.list_sessions(SERVICE) == (session,)
    assert hub.directory.list_sessions("diplomat-svc") == ()
    assert hub.directory.find_session("diplomat-svc", opened.token) is None
    assert hub.directory.find_session(SERVICE, session.public_id) is None
    assert hub.directory.close_session("diplomat-svc", session.public_id) is False
    assert hub.directory.close_session(SERVICE, session.public_id) is True
    assert hub.directory.close_session(SERVICE, session.public_id) is False
    assert hub.directory.find_session(SERVICE, opened.token) is None


def test_account_by_name(hub):
    """An enabled account is found as the asking service may see it, of which a large grant is read."""
    account = hub.directory.account(SERVICE, "part1")
    assert (account.name, account.contact, account.grant, account.revision) == (
        "part1", "Partner One", {"contract": "std"}, 1,
    )  # fmt: skip
    assert hub.directory.account("diplomat-svc", "part1").grant is None
    assert hub.directory.account(SERVICE, "away") is None
    assert hub.directory.account(SERVICE, "nobody") is None


def test_close_by_token(hub):
    """A session's token closes it once."""
    opened = hub.open()
    assert hub.directory.close_token(SERVICE, opened.token) is True
    assert hub.directory.close_token(SERVICE, opened.token) is False
    assert hub.directory.list_sessions(SERVICE) == ()


@pytest.mark.parametrize("token", ["", "x", "\0", "\ud800", "é" * 5000])
def test_garbage_opens_nothing(hub, token):
    """A text that is no token is no session, and no error."""
    assert hub.directory.find_session(SERVICE, token) is None
    assert hub.directory.close_token(SERVICE, token) is False
    assert hub.directory.close_session(SERVICE, token) is False


def test_limit(hub):
    """Past the limit the caller gets the open sessions, the oldest first; a closed one makes room."""
    first, second = hub.open(limit=2, label="1"), hub.open(limit=2, label="2")
    assert hub.open(limit=2) == d.Full((first.session, second.session))
    hub.directory.close_token(SERVICE, first.token)
    assert isinstance(hub.open(limit=2), d.Opened)


def test_account_limit(hub):
    """A limit for each account lists that account's sessions and leaves others alone."""
    mine = hub.open(account_limit=1)
    assert hub.open(account_limit=1) == d.Full((mine.session,))
    assert isinstance(hub.open("reader1", account_limit=1), d.Opened)


def test_evict(hub):
    """An evicted session makes room; a stale id is ignored, also below the limit."""
    first = hub.open(limit=1)
    second = hub.open(limit=1, evict=first.session.public_id)
    assert hub.directory.list_sessions(SERVICE) == (second.session,)
    assert hub.open(limit=1, evict=first.session.public_id) == d.Full((second.session,))
    third = hub.open(limit=5, evict=second.session.public_id)
    assert hub.directory.list_sessions(SERVICE) == (third.session,)


def test_replace(hub):
    """A caller's own former session makes room for its next one, also at the limit."""
    first = hub.open(limit=1)
    second = hub.open(limit=1, replace_token=first.token)
    assert hub.directory.find_session(SERVICE, first.token) is None
    assert hub.directory.list_sessions(SERVICE) == (second.session,)
    assert isinstance(hub.open(limit=2, replace_token="unknown"), d.Opened)


@pytest.mark.parametrize(("form", "size", "length"), [("hex", 16, 32), ("base64", 96, 128), ("urlsafe", 32, 43)])
def test_token_forms(hub, form, size, length):
    """A token has the form and size that the protocol asks for, and no two are alike."""
    tokens = {hub.open(token_form=form, token_bytes=size).token for _ in range(3)}
    assert {len(token) for token in tokens} == {length}
    assert len(tokens) == 3


def test_idle_limit_slides(hub):
    """Each use begins the idle time anew; it never ends early, and at most a sixtieth late."""
    token = hub.open(idle=60.0).token
    for _ in range(5):
        hub.time.pass_by(60)
        assert hub.directory.find_session(SERVICE, token)
    hub.time.pass_by(61.001)
    assert hub.directory.find_session(SERVICE, token) is None
    assert hub.directory.list_sessions(SERVICE) == ()


def test_absolute_limit_stands(hub):
    """No use moves the absolute limit."""
    token = hub.open(idle=60.0, absolute=90.0).token
    hub.time.pass_by(50)
    assert hub.directory.find_session(SERVICE, token)
    hub.time.pass_by(39.9)
    assert hub.directory.find_session(SERVICE, token)
    hub.time.pass_by(0.1)
    assert hub.directory.find_session(SERVICE, token) is None


def test_expired_sessions_take_no_place(hub):
    """An expired session is neither counted nor closed."""
    old = hub.open(limit=1, idle=1.0)
    hub.time.pass_by(2)
    assert hub.directory.close_token(SERVICE, old.token) is False
    assert isinstance(hub.open(limit=1, evict=old.session.public_id), d.Opened)


@pytest.mark.parametrize("account", ["nobody", "away", "\0"])
def test_no_session_without_account(hub, account):
    """An account that was removed between login and opening opens no session."""
    with pytest.raises(Unavailable):
        hub.open(account)


def test_changed_password_closes(hub):
    """A changed password and a disabled account close the account's sessions at once, and those of no other."""
    mine, other = hub.open(), hub.open("reader1")
    hub.operations.apply_accounts([ACCOUNTS[0], AccountSpec(name="reader1", password="new", grants={"http_mft": {}})])
    assert hub.directory.find_session(SERVICE, other.token) is None
    assert hub.directory.find_session(SERVICE, mine.token)
    hub.operations.apply_accounts([AccountSpec(name="part1", password="partner1", enabled=False)])
    assert hub.directory.find_session(SERVICE, mine.token) is None
    assert hub.directory.list_sessions(SERVICE) == ()


def test_changed_grant_shows_at_once(hub):
    """A changed grant leaves sessions open and counts the account's revision up."""
    token = hub.open().token
    hub.operations.apply_accounts([AccountSpec(name="part1", password="partner1", grants={"http_mft": {}})])
    account = hub.directory.find_session(SERVICE, token)[1]
    assert (account.grant, account.revision) == ({}, 2)


def test_no_more_than_the_limit(hub):
    """Of forty that open at once under a limit of ten, ten are let in and all others see ten sessions."""
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda _: hub.open(limit=10), range(40)))
    assert sum(isinstance(answer, d.Opened) for answer in answers) == 10
    assert {len(answer.sessions) for answer in answers if isinstance(answer, d.Full)} == {10}
    assert len(hub.directory.list_sessions(SERVICE)) == 10


def test_one_eviction_one_place(hub):
    """Of twenty that evict the same session at once, one is let in."""
    sessions = [hub.open().session for _ in range(3)]
    with ThreadPoolExecutor(20) as threads:
        victim = sessions[1].public_id
        answers = list(threads.map(lambda _: hub.open(limit=3, evict=victim), range(20)))
    assert sum(isinstance(answer, d.Opened) for answer in answers) == 1
    assert len(hub.directory.list_sessions(SERVICE)) == 3


def test_events(hub):
    """Each opening and closing has one event, with its reason and without the token."""
    hub.open(label="one", address="192.0.2.1")
    second = hub.open(label="two", idle=10.0)
    hub.open(label="three", evict=second.session.public_id)
    hub.open(label="four", absolute=10.0)
    hub.time.pass_by(11)
    assert hub.operations.sweep_sessions() == 1
    hub.operations.apply_accounts(())
    told = [(kind, json.loads(data)) for kind, data in hub.events() if kind.startswith("session.")]
    assert [kind for kind, _ in told].count("session.opened.v1") == 4
    closed = {(data["label"], data["reason"]) for kind, data in told if kind == "session.closed.v1"}
    assert closed == {("two", "evicted"), ("four", "absolute"), ("one", "account"), ("three", "account")}
    assert second.token not in str(told)


def test_ping(hub):
    """A directory that can answer passes its check."""
    assert hub.directory.ping() is None
