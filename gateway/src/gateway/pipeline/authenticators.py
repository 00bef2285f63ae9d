"""Resolve the credentials of each protocol to an account, or to the reason why there is none."""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from gateway.pipeline.context import GatewayDirectory
from gateway.routing import Credentials
from mft_common.directory import Account, Session, Throttled, Wrong
from mft_common.identity import Mechanism, Reason

_CACHED_S: Final = 60.0
_MAX_PAIRS: Final = 10_000
# Each token costs a look-up in the database, and no browser sends more than a few.
_MAX_TOKENS: Final = 8
_COOKIE_PAIR: Final = frozenset(("sp-http-usr", "sp-http-ses"))


@dataclass(frozen=True, slots=True)
class AuthResult:
    """The account and session of the credentials, or the reason why there is no account."""

    account: Account | None = None
    session: Session | None = None
    mechanism: Mechanism = "none"
    reason: Reason | None = None
    retry_after: int = 0


ABSENT: Final = AuthResult(reason="absent")
NO_CREDENTIALS: Final = AuthResult()
Authenticator = Callable[[str, Mapping[str, Any], str], AuthResult]


def cookies(header: str) -> list[tuple[str, str]]:
    """Return the pairs of a Cookie header in order, quotes around values taken off."""
    pairs = []
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals:
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            pairs.append((name.strip(), value))
    return pairs


class Authenticators:
    """One authenticator for each kind of credentials: `(service, environ, address) -> AuthResult`."""

    def __init__(
        self, directory: GatewayDirectory, token_cookie: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = directory
        self._token_cookie = token_cookie
        self._basic_cache = BasicAuthCache(directory, clock)
        self._by_kind: Mapping[Credentials, Authenticator] = {
            "cookie-pair-or-basic": self.cookie_pair_or_basic,
            "jsessionid": self.jsessionid,
            "basic-or-token": self.basic_or_token,
            "none": self.none,
        }

    def authenticate(self, kind: Credentials, service: str, environ: Mapping[str, Any], address: str) -> AuthResult:
        """Return the account of a request's credentials; the idle time of a session that is found begins anew."""
        return self._by_kind[kind](service, environ, address)

    def none(self, _service: str, _environ: Mapping[str, Any], _address: str) -> AuthResult:
        """Data Protector: the session is in the body, and the service looks for it itself."""
        return NO_CREDENTIALS

    def cookie_pair_or_basic(self, service: str, environ: Mapping[str, Any], address: str) -> AuthResult:
        """HTTP MFT: `sp-http-usr` and `sp-http-ses` must both be there and agree (http-mft.md S32).

        Where neither is there an Authorization header counts, if the service takes any (S35). One of the two cookies is
        enough for it to be passed over, so that no session that ends turns into calls of another account.
        """
        pairs = cookies(environ.get("HTTP_COOKIE", ""))
        if _COOKIE_PAIR.isdisjoint(name for name, _ in pairs):
            header = environ.get("HTTP_AUTHORIZATION")
            return ABSENT if header is None else self._basic(service, header, address)
        users = {unquote(value) for name, value in pairs if name == "sp-http-usr"}
        tokens = [value for name, value in pairs if name == "sp-http-ses"]
        if not users or not tokens:
            return ABSENT
        return self._first_live(service, tokens, users)

    def jsessionid(self, service: str, environ: Mapping[str, Any], _address: str) -> AuthResult:
        """Diplomat: of several cookies JSESSIONID the first live one counts (diplomat.md A8)."""
        tokens = [value for name, value in cookies(environ.get("HTTP_COOKIE", "")) if name == "JSESSIONID"]
        return self._first_live(service, tokens) if tokens else ABSENT

    def basic_or_token(self, service: str, environ: Mapping[str, Any], address: str) -> AuthResult:
        """IBM MQ: an Authorization header decides; without one the token cookie does (ibm-mq-mft.md 11-13)."""
        header = environ.get("HTTP_AUTHORIZATION")
        if header is not None:
            return self._basic_cache.authenticate(service, header, address)
        name = self._token_cookie
        tokens = [value for key, value in cookies(environ.get("HTTP_COOKIE", "")) if key == name]
        return self._first_live(service, tokens) if tokens else ABSENT

    def _basic(self, service: str, header: str, address: str) -> AuthResult:
        """Check a Basic header, which counts only where the configuration allows it; an expired account is refused."""
        if not self._directory.takes_basic(service):
            return ABSENT
        result = self._basic_cache.authenticate(service, header, address)
        expired = result.account is not None and result.account.expired
        return AuthResult(mechanism="basic", reason="wrong") if expired else result

    def _first_live(self, service: str, tokens: list[str], users: set[str] | None = None) -> AuthResult:
        mechanism: Mechanism = "token" if users is None else "form"
        for token in dict.fromkeys(tokens[:_MAX_TOKENS]):
            found = self._directory.find_session(service, token) if token else None
            if found is None:
                continue
            session, account = found
            if users is None or account.name in users:
                return AuthResult(account, session, mechanism)
        return AuthResult(reason="stale", mechanism=mechanism)


class BasicAuthCache:
    """Checks Basic credentials, and caches right pairs for a minute (ibm-mq-mft.md 23).

    A pair is cached under a hash whose key never leaves this process, together with the account's revision: a
    changed password, grant or state ends its entry at once. Wrong pairs are never cached.
    """

    def __init__(self, directory: GatewayDirectory, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._pairs: dict[bytes, tuple[str, int, float]] = {}

    def authenticate(self, service: str, header: str, address: str) -> AuthResult:
        """Return the account of an Authorization header."""
        pair = _decode(header)
        if pair is None:
            return AuthResult(mechanism="basic", reason="wrong")
        name, password = pair
        text = b"\0".join(part.encode("utf-8", "surrogateescape") for part in (service, name, password))
        key = hmac.digest(self._key, text, hashlib.sha256)
        known = self._pairs.get(key)
        if known is not None and known[2] > self._clock():
            account = self._directory.account(service, known[0])
            if account is not None and account.revision == known[1]:
                return AuthResult(account=account, mechanism="basic")
        answer = self._directory.verify(service, name, password, address)
        if isinstance(answer, Account):
            self._store(key, answer)
            return AuthResult(account=answer, mechanism="basic")
        with self._lock:
            self._pairs.pop(key, None)
        if isinstance(answer, Wrong):
            return AuthResult(mechanism="basic", reason="wrong")
        assert isinstance(answer, Throttled)
        return AuthResult(mechanism="basic", reason="throttled", retry_after=answer.seconds)

    def _store(self, key: bytes, account: Account) -> None:
        with self._lock:
            self._pairs.pop(key, None)
            if len(self._pairs) >= _MAX_PAIRS:
                del self._pairs[next(iter(self._pairs))]
            self._pairs[key] = (account.name, account.revision, self._clock() + _CACHED_S)


def _decode(header: str) -> tuple[str, str] | None:
    scheme, _, text = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (name, password) if colon else None
