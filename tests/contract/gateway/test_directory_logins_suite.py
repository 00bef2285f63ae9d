"""Logins behave alike in the directory's process and over HTTP, on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mft_common import directory as d
from tests.servers.directory_hub import BERTH, PORT, SERVICE


def test_right_password(hub):
    """A right password gives the account, with the grant of the asking service alone."""
    account = hub.directory.verify(SERVICE, "part1", "partner1", "192.0.2.1")
    assert account == d.Account(
        name="part1",
        contact="Partner One",
        number=account.number,
        grant={"contract": "std"},
        revision=1,
        password_changed_at=hub.time.now,
    )
    assert hub.directory.verify("diplomat-svc", "part1", "partner1", "192.0.2.1").grant is None


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("part1", "partner2"),
        ("Part1", "partner1"),
        ("part1 ", "partner1"),
        ("nobody", "partner1"),
        ("away", "away1"),
        ("operator", ""),
        ("", ""),
        ("a\0b", "x"),
        ("n" * 5000, "x"),
        ("part1", "p" * 5000),
        ("part1", "partner1\0"),
        ("\ud800", "\ud800"),
    ],
)
def test_wrong_is_wrong(hub, name, password):
    """Unknown, disabled, misspelt and impossible names and passwords are all told to be wrong."""
    assert hub.directory.verify(SERVICE, name, password, "192.0.2.1") == d.Wrong()


def test_expired_account_is_told(hub):
    """An expired account is found with its flag, which the service interprets."""
    assert hub.directory.verify("diplomat-svc", "late", "late1", "192.0.2.1").expired is True


def test_brake(hub):
    """Twenty failures are told; the next login is throttled, also with the right password, from that address alone."""
    for _ in range(20):
        assert hub.directory.verify(SERVICE, "part1", "wrong", "192.0.2.1") == d.Wrong()
    assert hub.directory.verify(SERVICE, "part1", "wrong", "192.0.2.1") == d.Throttled(15)
    assert hub.directory.verify(SERVICE, "reader1", "reader1", "192.0.2.1") == d.Throttled(15)
    assert isinstance(hub.directory.verify(SERVICE, "part1", "partner1", "192.0.2.2"), d.Account)
    hub.time.pass_by(14.2)
    assert hub.directory.verify(SERVICE, "part1", "partner1", "192.0.2.1") == d.Throttled(1)
    hub.time.pass_by(0.8)
    assert isinstance(hub.directory.verify(SERVICE, "part1", "partner1", "192.0.2.1"), d.Account)


def test_trusted(hub):
    """A trusted account needs no prompts from its networks, and is prompted like an unknown name elsewhere."""
    trusted = hub.directory.prompts("operator", "192.0.2.77")
    assert isinstance(trusted, d.Trusted)
    assert trusted.account.grant == {"role": "full", "trusted": True, "trusted_from": ["192.0.2.0/24"]}
    assert hub.directory.verify_prompts("operator", [("x", "y")], "192.0.2.77") == trusted.account
    assert isinstance(hub.directory.prompts("operator", "198.51.100.1"), d.Challenge)


@pytest.mark.parametrize(
    "answers",
    [
        [("prompt-1", "Rotterdam"), ("prompt-2", "7")],
        [("prompt-2", "7"), ("prompt-1", "  rotterdam ")],
        [(PORT, "ROTTERDAM"), (BERTH, "\uff17")],
        [(None, "Rotterdam"), (None, "7")],
        [(None, "Rotterdam"), (BERTH, "7")],
    ],
)
def test_right_answers(hub, answers):
    """Answers go by number, text or position, and are compared in their normal form."""
    assert hub.directory.prompts("auditor", "192.0.2.1") == d.Challenge((PORT, BERTH))
    account = hub.directory.verify_prompts("auditor", answers, "192.0.2.1")
    assert (account.name, account.grant["role"]) == ("auditor", "full")


@pytest.mark.parametrize(
    "answers",
    [
        [("prompt-1", "Rotterdam")],
        [("prompt-1", "Rotterdam"), ("prompt-2", "8")],
        [("prompt-1", "Rotterdam"), ("prompt-2", "7"), ("prompt-3", "7")],
        [("prompt-1", "Rotterdam"), (None, "7"), (None, "7")],
        [("prompt-1", "Rotterdam"), (PORT, "Rotterdam"), ("prompt-2", "7")],
        [("prompt-1", "\ud800"), ("\0", "")],
    ],
)
def test_wrong_answers(hub, answers):
    """Two wrong or incomplete sets are asked again, the third ends the attempt, and the next begins a new one."""
    again = d.Challenge((PORT, BERTH))
    outcomes = [hub.directory.verify_prompts("auditor", answers, "192.0.2.1") for _ in range(6)]
    assert outcomes == [again, again, d.Denied()] * 2


def test_success_clears_the_attempt(hub):
    """After a right set two wrong ones are asked again, as if there had been none before."""
    right, wrong = [(None, "Rotterdam"), (None, "7")], [(None, "Antwerp"), (None, "7")]
    for _ in range(2):
        for _ in range(2):
            assert isinstance(hub.directory.verify_prompts("auditor", wrong, "192.0.2.1"), d.Challenge)
        assert isinstance(hub.directory.verify_prompts("auditor", right, "192.0.2.1"), d.Account)


@pytest.mark.parametrize("name", ["nobody", "part1", "away", "", "\0", "operator"])
def test_strangers_are_challenged(hub, name):
    """A name that cannot answer is asked the same made-up questions each time, and denied at the third answer."""
    challenge = hub.directory.prompts(name, "198.51.100.1")
    assert 1 <= len(challenge.prompts) <= 3
    assert hub.directory.verify_prompts(name, [], "198.51.100.1") == challenge
    answers = [(None, "x")] * len(challenge.prompts)
    outcomes = [hub.directory.verify_prompts(name, answers, "198.51.100.1") for _ in range(3)]
    assert outcomes == [challenge, challenge, d.Denied()]


def test_brake_on_answers(hub):
    """Wrong answers and wrong passwords fill one count; past it answers are not checked, but prompts still returned."""
    for _ in range(10):
        hub.directory.verify_prompts("auditor", [(None, "x")], "192.0.2.1")
        hub.directory.verify(SERVICE, "part1", "x", "192.0.2.1")
    right = [(None, "Rotterdam"), (None, "7")]
    assert hub.directory.verify_prompts("auditor", right, "192.0.2.1") == d.Denied(15)
    assert isinstance(hub.directory.prompts("auditor", "192.0.2.1"), d.Challenge)
    assert isinstance(hub.directory.prompts("operator", "192.0.2.1"), d.Trusted)
    assert isinstance(hub.directory.verify_prompts("auditor", right, "192.0.2.2"), d.Account)


def test_parallel_guesses_are_counted(hub):
    """Of many guesses at once, twenty are told that they were wrong."""
    with ThreadPoolExecutor(30) as threads:
        guesses = [threads.submit(hub.directory.verify, SERVICE, "part1", f"x{i}", "192.0.2.1") for i in range(60)]
        answers = [guess.result() for guess in guesses]
    assert sum(answer == d.Wrong() for answer in answers) == 20
    assert all(answer == d.Wrong() or 15 <= answer.seconds <= 300 for answer in answers)


def test_which_services_take_basic(hub):
    """No service takes Basic until the configuration says so, and its last version holds."""
    assert not hub.operations.takes_basic(SERVICE)
    for services, taken in (([SERVICE], True), ([SERVICE], True), (["diplomat-svc"], False), ([], False)):
        hub.operations.apply_basic(services)
        assert hub.operations.takes_basic(SERVICE) is taken
