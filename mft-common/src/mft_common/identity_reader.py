"""Read the identity of the caller from the requests to one service."""

import threading
from collections.abc import Mapping
from typing import Any, Final, Protocol

from mft_common import environ_keys
from mft_common.directory import Account
from mft_common.errors import IdentityError
from mft_common.identity import Identity, Signer

_MAX_CACHED: Final = 128


class AccountSource(Protocol):
    """The part of the directory that large grants are read from."""

    def account(self, service: str, name: str) -> Account | None:
        """Return an account that is enabled, as `service` may see it."""
        ...


class IdentityReader:
    """Takes the identity object of a gateway in this process, else the signed header, whose keys `signer` knows.

    No request can set the object: names of request headers reach a WSGI environment with `HTTP_` before them. A grant
    that was too large for the header is read from `accounts`, and cached by the account's revision.
    """

    def __init__(self, service: str, signer: Signer | None = None, accounts: AccountSource | None = None) -> None:
        self._service = service
        self._signer = signer
        self._accounts = accounts
        self._lock = threading.Lock()
        self._cache: dict[str, Account] = {}

    def read(self, environ: Mapping[str, Any]) -> Identity:
        """Return the caller's identity.

        IdentityError where there is none that the hub made, so that a service without its gateway refuses everything.
        """
        identity = environ.get(environ_keys.IDENTITY)
        if isinstance(identity, Identity):
            return identity
        header = environ.get(environ_keys.IDENTITY_HEADER)
        if self._signer is None or not header:
            raise IdentityError("the request did not come through the gateway")
        identity = self._signer.loads(header, self._service)
        return self._with_grant(identity) if identity.grant_omitted else identity

    def _with_grant(self, identity: Identity) -> Identity:
        if self._accounts is None or identity.account is None:
            raise IdentityError("the identity's grant has to be read from the gateway, which this service cannot ask")
        account = self._cache.get(identity.account)
        if account is None or account.revision < identity.revision:
            account = self._accounts.account(self._service, identity.account)
            if account is None:
                # The account was disabled or removed since the gateway looked.
                return identity._replace(account=None, session=None, reason="stale", grant_omitted=False)
            self._store(account)
        return identity._replace(
            contact=account.contact, grant=account.grant, revision=account.revision, grant_omitted=False
        )

    def _store(self, account: Account) -> None:
        with self._lock:
            self._cache.pop(account.name, None)
            if len(self._cache) >= _MAX_CACHED:
                del self._cache[next(iter(self._cache))]
            self._cache[account.name] = account
