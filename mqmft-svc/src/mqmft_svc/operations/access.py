"""Authenticate and authorize callers, and open and close their sessions."""

from collections.abc import Sequence
from typing import Final

from mft_common import addresses, logs
from mft_common.directory import Account, Directory, Opened, Throttled, Wrong
from mft_common.errors import Unavailable
from mft_common.identity import Identity
from mqmft_svc import SERVICE
from mqmft_svc.domain.callers import READERS, ROLES, TOPICS, WRITERS, Caller
from mqmft_svc.errors import (
    CredentialsMissing,
    CredentialsWrong,
    LoginThrottled,
    RoleMissing,
    TokenInvalid,
    TopicNotAuthorized,
)
from mqmft_svc.settings import Settings

# The gateway looks at this many cookies of one name.
_MOST_TOKENS: Final = 8


class Access:
    """The rights of callers, and the login resource."""

    def __init__(self, directory: Directory, settings: Settings) -> None:
        self._directory = directory
        self._settings = settings

    def authenticate(self, identity: Identity) -> Caller:
        """Return the caller of a request; raises the 401s of 11-13 and the 429 of 23."""
        settings = self._settings
        # The hub listens on loopback alone then, which a client of a proxy on this machine has only got around.
        if not settings.security and identity.address != addresses.UNKNOWN:
            return Caller(user=settings.security_off_user, roles=("MFTWebAdmin",), mechanism="noSecurity")
        if identity.account is None:
            if identity.reason == "throttled":
                raise LoginThrottled(headers={"Retry-After": str(identity.retry_after)})
            if identity.reason == "stale":
                raise TokenInvalid(cookie=settings.token_cookie)
            raise CredentialsWrong if identity.reason == "wrong" else CredentialsMissing
        grant = identity.grant or {}
        return Caller(
            user=identity.account,
            roles=tuple(role for role in ROLES if role in grant.get("roles", ())),
            topics=tuple(grant.get("topics", ())),
            mechanism="form" if identity.mechanism == "token" else "basic",
        )

    def authorize_read(self, caller: Caller, resource: str) -> None:
        """Raise the 403s of 15-19 unless one of the roles may read; the strongest role that applies counts."""
        if not set(caller.roles).isdisjoint(("MFTWebAdmin", "MFTWebAdminRO")):
            return
        if "MQWebUser" not in caller.roles:
            raise RoleMissing(user=caller.user, roles=", ".join(READERS))
        if not caller.may_subscribe(resource):
            raise TopicNotAuthorized(user=caller.user, topic=TOPICS[resource][0])

    def authorize_write(self, caller: Caller) -> None:
        """Raise RoleMissing unless one of the roles may write (15, 18)."""
        if set(caller.roles).isdisjoint(WRITERS):
            raise RoleMissing(user=caller.user, roles=", ".join(WRITERS))

    def login(self, name: str, password: str, identity: Identity) -> Opened:
        """Open a session for the right password (140-144); each login gets a token of its own."""
        found = self._directory.verify(SERVICE, name, password, identity.address)
        if isinstance(found, Throttled):
            raise LoginThrottled(headers={"Retry-After": str(found.seconds)})
        if isinstance(found, Wrong):
            raise CredentialsWrong
        assert isinstance(found, Account)
        opened = self._directory.open_session(
            service=SERVICE,
            account=found.name,
            address=identity.address,
            token_form="urlsafe",  # noqa: S106 -- a form is no password
            token_bytes=32,
            idle=None,
            absolute=self._settings.token_minutes * 60.0,
        )
        if not isinstance(opened, Opened):
            raise Unavailable("no session could be opened")
        return opened

    def logout(self, identity: Identity, tokens: Sequence[str]) -> None:
        """Close the token of the request's cookie at once (146); of several cookies of that name every live one."""
        if not any(tokens):
            raise CredentialsMissing
        closed = [self._directory.close_token(SERVICE, token) for token in tokens[:_MOST_TOKENS] if token]
        if not any(closed):
            raise TokenInvalid(cookie=self._settings.token_cookie)
        logs.get("operations").info("session.closed", user=identity.account)
