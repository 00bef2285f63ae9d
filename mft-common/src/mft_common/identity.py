"""Carry the caller from the gateway to a service: an object in one process, a signed text over a network."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import itsdangerous

from mft_common.errors import IdentityError

HEADER: Final = "X-Crossdock-Identity"
SYSTEM: Final = "system"
# The longest signed identity in bytes: servers take a header of 8 KiB with its name.
MAX_SIGNED: Final = 7 << 10
_LIFE_S: Final = 60
_MAX_LABEL: Final = 255

Mechanism = Literal["form", "basic", "token", "none"]
Reason = Literal["absent", "wrong", "stale", "throttled"]


class Identity(NamedTuple):
    """The caller of a request: its address, its account, and the rights of the account at this service.

    `grant` is the account's grant for the service that is asked, None where it has none. `session` is a session's
    public id, never its token. `reason` says why there is no account; `retry_after` counts seconds when it is
    "throttled". `transfer_id` is set by the hub's own callers, whose bytes belong to that transfer. `grant_omitted`
    says that contact and grant were too large for a header: they are those of the account at this `revision`, and have
    to be read from the gateway.

    A new field needs a default, since services and gateways of different versions work together during an upgrade.
    """

    request_id: str = ""
    address: str = ""
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
    grant_omitted: bool = False


_DEFAULTS: Final = Identity._field_defaults


class Signer:
    """Signs identities for one service each, with the last of `keys`, and believes all of them.

    Several keys let an operator change the key without a moment in which requests fail: add the new one in front of
    the old one everywhere, move it to the end everywhere, then take the old one away.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or not all(keys):
            raise ValueError("at least one internal key is needed, and none may be empty")
        self._keys = list(keys)
        self._signers: dict[str, itsdangerous.TimestampSigner] = {}

    def dumps(self, identity: Identity, service: str) -> str:
        """Return a signed text of at most MAX_SIGNED bytes, good for `service` alone and for a minute.

        It is an object with named fields, without those that have their default.
        """
        signed = self._sign(identity, service)
        if len(signed) > MAX_SIGNED:
            small = identity._replace(contact="", grant=None, grant_omitted=identity.account is not None)
            signed = self._sign(small, service)
            if len(signed) > MAX_SIGNED:
                signed = self._sign(small._replace(label=small.label[:_MAX_LABEL]), service)
        return signed.decode()

    def loads(self, text: str, service: str) -> Identity:
        """Return the identity that `text` holds; IdentityError when it was not signed for `service` within a minute.

        Fields that this version does not know are ignored, and those that it does not find have their default.
        """
        try:
            payload, signed_at = self._for(service).unsign(text.encode("ascii", "replace"), return_timestamp=True)
        except itsdangerous.BadSignature as error:
            raise IdentityError("the identity is not signed by this hub") from error
        # Not by `max_age`, which refuses a signature of a clock that is one second ahead of this one.
        if abs(time.time() - signed_at.timestamp()) > _LIFE_S:
            raise IdentityError("the identity is too old, or the clocks of gateway and service differ")
        fields = json.loads(base64.urlsafe_b64decode(payload))
        return Identity(**{name: value for name, value in fields.items() if name in _DEFAULTS})

    def _sign(self, identity: Identity, service: str) -> bytes:
        fields = {name: value for name, value in identity._asdict().items() if value != _DEFAULTS.get(name, ...)}
        body = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")
        return self._for(service).sign(base64.urlsafe_b64encode(body))

    def _for(self, service: str) -> itsdangerous.TimestampSigner:
        signer = self._signers.get(service)
        if signer is None:
            signer = itsdangerous.TimestampSigner(
                self._keys, salt=f"crossdock.{service}", key_derivation="hmac", digest_method=hashlib.sha256
            )
            self._signers[service] = signer
        return signer
