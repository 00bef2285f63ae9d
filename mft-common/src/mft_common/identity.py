"""Carry who calls from the gateway to a service: as an object in one process, signed and short-lived over a network."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import itsdangerous

from mft_common import environ_keys
from mft_common.errors import IdentityError

HEADER: Final = "X-Crossdock-Identity"
SYSTEM: Final = "system"
_LIFE_S: Final = 60

Mechanism = Literal["form", "basic", "token", "none"]
Reason = Literal["absent", "wrong", "stale", "throttled"]


class Identity(NamedTuple):
    """Who calls, from where, and what the account may do at this service.

    `grant` is the account's grant for the service that is asked, None where it has none. `session` is a session's
    public id, never its token. `reason` says why there is no account; `retry_after` counts seconds when that is
    "throttled".
    `transfer_id` is set by the hub's own callers, whose bytes belong to that transfer.
    """

    request_id: str
    address: str
    scheme: str = "http"
    base_url: str = ""
    account: str | None = None
    contact: str = ""
    grant: Mapping[str, Any] | None = None
    revision: int = 0
    session: str | None = None
    label: str = ""
    mechanism: Mechanism = "none"
    reason: Reason | None = None
    retry_after: int = 0
    transfer_id: str | None = None


_FIELDS = Identity._fields


class Signer:
    """Signs identities for one service each, with the last of `keys`, and believes all of them.

    Several keys let an operator change the key without a moment in which requests fail: add the new one at the end
    everywhere, then take the old one away.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or not all(keys):
            raise ValueError("at least one internal key is needed, and none may be empty")
        self._keys = list(keys)
        self._signers: dict[str, itsdangerous.Signer] = {}

    def dumps(self, identity: Identity, service: str) -> str:
        """Return a signed text, good for `service` alone and for a minute."""
        values = [getattr(identity, name) for name in _FIELDS]
        body = json.dumps([int(time.time()), *values], separators=(",", ":")).encode()
        return self._for(service).sign(base64.urlsafe_b64encode(body)).decode()

    def loads(self, text: str, service: str) -> Identity:
        """Return the identity that `text` holds; IdentityError when it was not signed for `service` within a minute."""
        try:
            payload = self._for(service).unsign(text.encode("ascii", "replace"))
        except itsdangerous.BadSignature as error:
            raise IdentityError("the identity is not signed by this hub") from error
        made_at, *values = json.loads(base64.urlsafe_b64decode(payload))
        if abs(time.time() - made_at) > _LIFE_S:
            raise IdentityError("the identity is too old, or the clocks of gateway and service differ")
        return Identity(**dict(zip(_FIELDS, values, strict=True)))

    def _for(self, service: str) -> itsdangerous.Signer:
        signer = self._signers.get(service)
        if signer is None:
            signer = itsdangerous.Signer(
                self._keys, salt=f"crossdock.{service}", key_derivation="hmac", digest_method=hashlib.sha256
            )
            self._signers[service] = signer
        return signer


def from_environ(environ: Mapping[str, Any], signer: Signer | None, service: str) -> Identity:
    """Return the caller's identity: the object of a gateway in this process, else what the signed header holds.

    No request can set the object: names of request headers reach a WSGI environment with `HTTP_` before them. Raises
    IdentityError where there is neither, so that a service without its gateway refuses everything.
    """
    identity = environ.get(environ_keys.IDENTITY)
    if isinstance(identity, Identity):
        return identity
    header = environ.get(environ_keys.IDENTITY_HEADER)
    if signer is None or not header:
        raise IdentityError("the request did not come through the gateway")
    return signer.loads(header, service)
