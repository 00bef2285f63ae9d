import base64

import pytest

from gateway.pipeline.authenticators import Authenticators, cookies
from mft_common.directory import Account, Session, Throttled, Wrong


class Book:
    """A directory that counts its calls."""

    def __init__(self):
        self.tokens = {"T1": "part1", "T2": "part2"}
        self.revisions = {"part1": 1, "part2": 1}
        self.asked = []
        self.verified = []
        self.throttled = False
        self.basic = True
        self.expired = False

    def find_session(self, service, token):
        """Find a session by its token."""
        self.asked.append(token)
        name = self.tokens.get(token)
        return (
            (Session(public_id=f"public-{token}", service=service, account=name), self._account(name)) if name else None
        )

    def verify(self, service, name, password, address):
        """Take any known name with the password `right`."""
        self.verified.append((service, name, address))
        if self.throttled:
            return Throttled(9)
        return self._account(name) if password == "right" and name in self.revisions else Wrong()

    def account(self, service, name):
        """Return an account as it is now."""
        return self._account(name) if name in self.revisions else None

    def takes_basic(self, service):
        """Say what was set."""
        return self.basic and service == "svc"

    def _account(self, name):
        return Account(name=name, revision=self.revisions[name], expired=self.expired)


class Watch:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self):
        """Return the time."""
        return self.now


@pytest.fixture
def book():
    """Return the directory."""
    return Book()


@pytest.fixture
def watch():
    """Return the clock."""
    return Watch()


@pytest.fixture
def resolve(book, watch):
    """Return a function that resolves one kind of credentials."""
    authenticators = Authenticators(book, "LtpaToken2", watch)

    def run(kind, *, cookie="", authorization=None):
        environ = {"HTTP_COOKIE": cookie}
        if authorization is not None:
            environ["HTTP_AUTHORIZATION"] = authorization
        found = authenticators.authenticate(kind, "svc", environ, "192.0.2.1")
        return found.account.name if found.account else found.reason

    return run


def basic(name, password):
    """Return a Basic header."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_a_cookie_header_is_read_leniently():
    """Blanks, quotes, values with equals signs and parts that are no pair are all sent by real clients."""
    header = '$Version=1; a="q"; b=x==;c; a=2 ;; =d'
    assert cookies(header) == [("$Version", "1"), ("a", "q"), ("b", "x=="), ("a", "2"), ("", "d")]


@pytest.mark.parametrize(
    ("cookie", "who"),
    [
        ("sp-http-usr=part1; sp-http-ses=T1", "part1"),
        ("sp-http-ses=T1; x=y; sp-http-usr=%70art1", "part1"),
        ("sp-http-usr=part2; sp-http-ses=T1", "stale"),
        ("sp-http-usr=part1; sp-http-ses=old; sp-http-ses=T1", "part1"),
        ("sp-http-usr=part1; sp-http-ses=old", "stale"),
        ("sp-http-usr=part1", "absent"),
        ("sp-http-ses=T1", "absent"),
        ("sp-http-usr=%ff%00; sp-http-ses=", "stale"),
        ("", "absent"),
    ],
)
def test_both_cookies_must_agree(resolve, cookie, who):
    """HTTP MFT: the pair, in any order, the user name percent-decoded."""
    assert resolve("cookie-pair-or-basic", cookie=cookie) == who


def test_the_first_live_jsessionid_counts(resolve, book):
    """Diplomat: dead tokens before it are skipped, a few of them."""
    assert resolve("jsessionid", cookie="JSESSIONID=old; JSESSIONID=T2; JSESSIONID=T1") == "part2"
    assert resolve("jsessionid", cookie="x=1") == "absent"
    book.asked.clear()
    assert resolve("jsessionid", cookie="; ".join(f"JSESSIONID=x{i}" for i in range(1000))) == "stale"
    assert len(book.asked) < 10


def test_the_header_decides_over_the_token(resolve):
    """IBM MQ: a wrong header is wrong, also with a live cookie."""
    cookie = "LtpaToken2=T1"
    assert resolve("basic-or-token", cookie=cookie) == "part1"
    assert resolve("basic-or-token", cookie=cookie, authorization=basic("part2", "right")) == "part2"
    assert resolve("basic-or-token", cookie=cookie, authorization=basic("part2", "no")) == "wrong"
    assert resolve("basic-or-token", cookie="LtpaToken2=gone") == "stale"
    assert resolve("basic-or-token") == "absent"


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!", "Bearer x", "Basic " + base64.b64encode(b"nocolon").decode()]
)
def test_a_header_that_does_not_decode_is_wrong(resolve, book, header):
    """It counts as a wrong password, without a look-up."""
    assert resolve("basic-or-token", authorization=header) == "wrong"
    assert not book.verified


def test_a_right_pair_is_cached_for_a_minute(resolve, book, watch):
    """One verification serves many requests, and no longer than a minute's worth."""
    header = basic("part1", "right")
    for watch.now in (0.0, 30.0, 59.0):
        assert resolve("basic-or-token", authorization=header) == "part1"
    assert len(book.verified) == 1
    watch.now = 60.0
    assert resolve("basic-or-token", authorization=header) == "part1"
    assert len(book.verified) == 2


def test_a_changed_account_is_forgotten_at_once(resolve, book):
    """A new revision, or no account, means a new verification."""
    header = basic("part1", "right")
    resolve("basic-or-token", authorization=header)
    book.revisions["part1"] = 2
    assert resolve("basic-or-token", authorization=header) == "part1"
    assert len(book.verified) == 2
    del book.revisions["part1"]
    assert resolve("basic-or-token", authorization=header) == "wrong"


def test_wrong_pairs_are_never_cached(resolve, book):
    """Each guess is checked, so that the login throttle counts it."""
    for _ in range(3):
        assert resolve("basic-or-token", authorization=basic("part1", "guess")) == "wrong"
    assert len(book.verified) == 3
    book.throttled = True
    assert resolve("basic-or-token", authorization=basic("part1", "guess")) == "throttled"


def test_basic_where_no_cookie_of_ours_is(resolve, book):
    """HTTP MFT, switched on: the pair counts, for other cookies do not matter (S35)."""
    kind, header = "cookie-pair-or-basic", basic("part1", "right")
    assert resolve(kind, authorization=header) == "part1"
    assert resolve(kind, authorization=header, cookie="x=1; JSESSIONID=T2") == "part1"
    assert resolve(kind, authorization=basic("part1", "no")) == "wrong"
    assert resolve(kind, authorization="Bearer x") == "wrong"
    assert resolve(kind) == "absent"
    book.throttled = True
    assert resolve(kind, authorization=basic("part1", "no")) == "throttled"


@pytest.mark.parametrize(
    ("cookie", "who"),
    [
        ("sp-http-usr=part2; sp-http-ses=T2", "part2"),
        ("sp-http-usr=part2; sp-http-ses=gone", "stale"),
        ("sp-http-usr=part2", "absent"),
        ("sp-http-ses=T2", "absent"),
        ('sp-http-ses=""', "absent"),
    ],
)
def test_one_cookie_of_ours_is_enough_for_the_header_to_be_ignored(resolve, book, cookie, who):
    """HTTP MFT: the cookies decide, and no password is checked."""
    assert resolve("cookie-pair-or-basic", cookie=cookie, authorization=basic("part1", "right")) == who
    assert not book.verified


def test_basic_is_ignored_where_it_is_off(resolve, book):
    """HTTP MFT, as by default: the header is ignored without a look-up, also one of a cached pair."""
    header = basic("part1", "right")
    assert resolve("cookie-pair-or-basic", authorization=header) == "part1"
    book.basic = False
    for each in (header, basic("part1", "no"), "Basic !!"):
        assert resolve("cookie-pair-or-basic", authorization=each) == "absent"
    assert len(book.verified) == 1


def test_an_expired_account_logs_in_no_way(resolve, book):
    """HTTP MFT: a right password of an expired account is treated as a wrong one, cached or not."""
    header = basic("part1", "right")
    book.expired = True
    assert [resolve("cookie-pair-or-basic", authorization=header) for _ in range(2)] == ["wrong", "wrong"]


def test_data_protector_carries_its_session_elsewhere(resolve):
    """There is no account, and no reason why."""
    assert resolve("none", cookie="JSESSIONID=T1", authorization=basic("part1", "right")) is None
