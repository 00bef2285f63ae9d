"""The directory of accounts, prompts and sessions that the gateway owns, in this process or over HTTP."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, Self, cast

import requests
from requests.adapters import HTTPAdapter

from mft_common import logs
from mft_common.errors import ConfigError, Unavailable
from mft_common.identity import HEADER, SYSTEM, Identity, Signer

TokenForm = Literal["hex", "base64", "urlsafe"]
GATEWAY: Final = "gateway"
# Threads of a service beyond this number make a connection for one call and close it.
_CONNECTIONS: Final = 64


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account as one service may see it: `grant` is its grant for that service alone, None when it has none."""

    name: str
    contact: str = ""
    number: int = 0
    grant: Mapping[str, Any] | None = None
    revision: int = 0
    password_changed_at: int = 0
    expired: bool = False


@dataclass(frozen=True)
class Wrong:
    """No such account, a wrong password or a disabled account, which callers cannot tell apart."""


@dataclass(frozen=True)
class Throttled:
    """Too many failed logins; the password was not checked, and none will be for `seconds`."""

    seconds: int


@dataclass(frozen=True, kw_only=True)
class Session:
    """An open session; `public_id` may be shown, and opens nothing."""

    public_id: str
    service: str
    account: str
    contact: str = ""
    label: str = ""
    address: str = ""
    opened_at: int = 0
    seen_at: int = 0


@dataclass(frozen=True)
class Opened:
    """A session that was just opened, with the one copy of its secret token."""

    token: str
    session: Session


@dataclass(frozen=True)
class Full:
    """As many sessions are open as the limit allows; `sessions` lists them, the oldest first."""

    sessions: tuple[Session, ...]


@dataclass(frozen=True)
class Trusted:
    """The caller needs no prompts from this address."""

    account: Account


@dataclass(frozen=True)
class Challenge:
    """The prompts to answer, in order; those of an unknown name are made up, and cannot be told from real ones."""

    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Denied:
    """The answers are wrong; with `retry_after` seconds when the login throttle holds the caller back."""

    retry_after: int = 0


class Directory(Protocol):
    """Accounts and sessions. The gateway's operations are one implementation, `RemoteDirectory` the other."""

    def verify(self, service: str, name: str, password: str, address: str) -> Account | Wrong | Throttled:
        """Check a password under the login throttle."""
        ...

    def account(self, service: str, name: str) -> Account | None:
        """Return the account as it is now, as `service` may see it; None when it is removed or disabled."""
        ...

    def prompts(self, name: str, address: str) -> Trusted | Challenge | Denied:
        """Return the prompts that `name` has to answer before a session that needs no password."""
        ...

    def verify_prompts(
        self, name: str, answers: Sequence[tuple[str | None, str]], address: str
    ) -> Account | Challenge | Denied:
        """Check answers, each with the name it was sent under (None: by position)."""
        ...

    def open_session(
        self,
        *,
        service: str,
        account: str,
        label: str = "",
        address: str = "",
        token_form: TokenForm = "hex",  # noqa: S107 -- a form is no password
        token_bytes: int = 16,
        idle: float | None = None,
        absolute: float | None = None,
        limit: int | None = None,
        account_limit: int | None = None,
        evict: str | None = None,
        replace_token: str | None = None,
    ) -> Opened | Full:
        """Open a session in one step with the check of the limits; limits count live sessions, times are seconds.

        `evict` names a session by its public id, and `replace_token` the caller's own former session by its token;
        each is closed in the same step, so that its place is free for this one.
        """
        ...

    def find_session(self, service: str, token: str) -> tuple[Session, Account] | None:
        """Return the live session of `token` and its account, and let its idle time begin anew."""
        ...

    def list_sessions(self, service: str) -> tuple[Session, ...]:
        """Return the live sessions of a service, the oldest first."""
        ...

    def close_session(self, service: str, public_id: str) -> bool:
        """Close a session by its public id; False when it was not open."""
        ...

    def close_token(self, service: str, token: str) -> bool:
        """Close a session by its token; False when it was not open."""
        ...


_TYPES: Final = {
    cls.__name__: cls for cls in (Account, Wrong, Throttled, Session, Opened, Full, Trusted, Challenge, Denied)
}


def to_wire(value: Any) -> Any:
    """Turn an answer of a Directory into JSON values, each object naming its class."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: to_wire(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"is": type(value).__name__, **fields}
    if isinstance(value, tuple | list):
        return [to_wire(item) for item in value]
    return value


def from_wire(value: Any) -> Any:
    """Turn JSON values of `to_wire` back into the same objects; lists become tuples.

    Fields that this version does not know are ignored: the gateway may be a newer one.
    """
    if isinstance(value, dict):
        kind = _TYPES.get(value.get("is", ""))
        if kind is not None:
            known = [field.name for field in dataclasses.fields(kind)]
            return kind(**{name: from_wire(value[name]) for name in known if name in value})
        return value
    if isinstance(value, list):
        return tuple(from_wire(item) for item in value)
    return value


class RemoteDirectory:
    """Asks the gateway of another process through its internal API: `POST <url>/internal/v1/directory/<call>`."""

    @classmethod
    def configured(cls, url: str | None, signer: Signer | None) -> Self:
        """Return the gateway at `url`; ConfigError where the settings do not say how to reach it."""
        if signer is None or not url:
            raise ConfigError(["MFT_GATEWAY_URL and MFT_INTERNAL_KEYS: both are needed to ask the gateway"])
        return cls(url, signer)

    def __init__(self, url: str, signer: Signer, *, timeout: float = 10.0) -> None:
        self._url = url.rstrip("/")
        self._signer = signer
        self._timeout = timeout
        self._http = requests.Session()
        # The gateway is asked directly, also where this machine has a proxy for other hosts.
        self._http.trust_env = False
        self._http.mount(self._url, HTTPAdapter(pool_maxsize=_CONNECTIONS))

    def verify(self, service: str, name: str, password: str, address: str) -> Account | Wrong | Throttled:
        """See Directory."""
        answer = self._call("verify", service=service, name=name, password=password, address=address)
        return cast("Account | Wrong | Throttled", answer)

    def account(self, service: str, name: str) -> Account | None:
        """See Directory."""
        return cast("Account | None", self._call("account", service=service, name=name))

    def prompts(self, name: str, address: str) -> Trusted | Challenge | Denied:
        """See Directory."""
        return cast("Trusted | Challenge | Denied", self._call("prompts", name=name, address=address))

    def verify_prompts(
        self, name: str, answers: Sequence[tuple[str | None, str]], address: str
    ) -> Account | Challenge | Denied:
        """See Directory."""
        answer = self._call("verify_prompts", name=name, answers=[list(pair) for pair in answers], address=address)
        return cast("Account | Challenge | Denied", answer)

    def open_session(self, **request: Any) -> Opened | Full:
        """See Directory."""
        return cast("Opened | Full", self._call("open_session", **request))

    def find_session(self, service: str, token: str) -> tuple[Session, Account] | None:
        """See Directory."""
        return cast("tuple[Session, Account] | None", self._call("find_session", service=service, token=token))

    def list_sessions(self, service: str) -> tuple[Session, ...]:
        """See Directory."""
        return cast("tuple[Session, ...]", self._call("list_sessions", service=service))

    def close_session(self, service: str, public_id: str) -> bool:
        """See Directory."""
        return cast("bool", self._call("close_session", service=service, public_id=public_id))

    def close_token(self, service: str, token: str) -> bool:
        """See Directory."""
        return cast("bool", self._call("close_token", service=service, token=token))

    def close(self) -> None:
        """Close the connections to the gateway."""
        self._http.close()

    def ping(self) -> None:
        """Raise Unavailable unless the gateway answers."""
        self._call("ping")

    def _call(self, call: str, /, **arguments: Any) -> Any:
        identity = Identity(request_id=logs.request_id(), address="", account=SYSTEM)
        headers = {HEADER: self._signer.dumps(identity, GATEWAY)}
        try:
            answer = self._http.post(
                f"{self._url}/internal/v1/directory/{call}", json=arguments, headers=headers, timeout=self._timeout
            )
        except requests.RequestException as error:
            raise Unavailable("the gateway does not answer") from error
        if answer.status_code != 200:
            raise Unavailable(f"the gateway answered {answer.status_code} to {call}")
        try:
            return from_wire(answer.json()["answer"])
        except (ValueError, LookupError, TypeError) as error:
            raise Unavailable(f"the gateway's answer to {call} cannot be read") from error
