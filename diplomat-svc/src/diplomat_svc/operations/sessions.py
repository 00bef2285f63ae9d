"""Authenticate clients and open sessions; limit, eviction and replacement are one atomic step."""

from dataclasses import dataclass
from typing import Final

from diplomat_svc.domain.names import pack_label
from diplomat_svc.domain.transactions import Options
from diplomat_svc.errors import Unauthorized
from diplomat_svc.schemas.requests import Connect
from mft_common.directory import Account, Directory, Full, Opened, Session, Throttled, Wrong
from mft_common.identity import Identity

SERVICE: Final = "diplomat-svc"
COOKIE: Final = "JSESSIONID"
# One text for all wrong credentials: the answer must not distinguish unknown users from wrong passwords.
_REFUSED: Final = "The userName or password is not valid."
_TOKEN_BYTES: Final = 32


@dataclass(frozen=True)
class Connected:
    """A session was opened; `token` is its secret."""

    account: Account
    role: str
    token: str
    secure: bool

    @property
    def cookie(self) -> str:
        """The Set-Cookie header; `Secure` on TLS only, or clients of the plain port would lose it (A8)."""
        return f"{COOKIE}={self.token}; Path=/diplomat; HttpOnly; SameSite=Strict{'; Secure' if self.secure else ''}"


@dataclass(frozen=True)
class LimitReached:
    """The limit of sessions is reached; `sessions` are the open ones, the oldest first (29)."""

    sessions: tuple[Session, ...]


@dataclass(frozen=True)
class PasswordExpired:
    """The password is right and must be changed first (A13)."""


Outcome = Connected | LimitReached | PasswordExpired


def connect(
    directory: Directory, options: Options, request: Connect, caller: Identity, cookies: tuple[str, ...]
) -> Outcome:
    """Authenticate first (A10), then open, evict and replace in one step (A11, A12)."""
    account = directory.verify(SERVICE, request.user_name, request.password, caller.address)
    if isinstance(account, Throttled):
        raise Unauthorized(_REFUSED, account.seconds)
    if isinstance(account, Wrong) or account.grant is None:
        raise Unauthorized(_REFUSED)
    if account.expired:
        return PasswordExpired()
    live = next((token for token in cookies if directory.find_session(SERVICE, token) is not None), None)
    opened = directory.open_session(
        service=SERVICE,
        account=account.name,
        label=pack_label(request.domain, request.user_id),
        address=caller.address,
        token_form="hex",  # noqa: S106 -- the form of a token, not one
        token_bytes=_TOKEN_BYTES,
        idle=options.session_idle,
        absolute=options.session_absolute,
        limit=options.session_limit,
        evict=request.disconnect,
        replace_token=live,
    )
    if isinstance(opened, Full):
        return LimitReached(opened.sessions)
    assert isinstance(opened, Opened)
    return Connected(account, str(account.grant["role"]), opened.token, caller.scheme == "https")
