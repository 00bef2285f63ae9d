"""Define the messages that are put into queues and taken from them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

GROUP: Final = "JMSXGroupID"
SEQUENCE: Final = "JMSXGroupSeq"
LAST: Final = "JMS_IBM_Last_Msg_In_Group"

IDENTITY_BYTES: Final = 8


@dataclass(frozen=True)
class Outgoing:
    """A message to put into a queue; `id` differs from those of its batch."""

    id: str
    body: bytes
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """A message that was taken from a queue and is not acknowledged yet.

    `tag` is its number on the connection. `redelivered` says that it may have been taken before. `identity` is a digest
    by which it is known when it comes again; `is_named` says that no other message has the same.
    """

    tag: int
    body: bytes
    headers: Mapping[str, Any]
    redelivered: bool
    identity: bytes
    is_named: bool


def taken(method: Any, properties: Any, body: bytes) -> Taken:
    """Return a message of pika's parts."""
    headers = properties.headers or {}
    named = [properties.message_id, headers.get(GROUP), headers.get(SEQUENCE)]
    # The broker itself adds headers to a message that comes again.
    parts = repr([*named, properties.correlation_id, properties.timestamp, properties.type, properties.app_id])
    digest = hashlib.blake2b(body, digest_size=IDENTITY_BYTES, key=hashlib.sha256(parts.encode()).digest())
    is_named = bool(properties.message_id)
    return Taken(method.delivery_tag, body, headers, bool(method.redelivered), digest.digest(), is_named)
