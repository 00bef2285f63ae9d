"""Name the host keys of a server, and decide whether a key is the pinned one."""

import binascii
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncssh

from mft_common.endpoints.errors import BadName

# The signature algorithms to offer for a key of each type. A server has at most one key of a type, and shows the one
# whose algorithm it is offered: without this choice it shows another key than the pinned one. (field report B7)
ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-ed448": ("ssh-ed448",),
}
_PREFIX: Final = "SHA256:"


@dataclass(frozen=True)
class HostKey:
    """A public key of a server: its type, and its fingerprint as `ssh-keygen -l` prints it (`SHA256:...`)."""

    kind: str
    fingerprint: str


@dataclass(frozen=True)
class Pin:
    """The one host key that is accepted; `kinds` are the types that it may have, the only one where that is known."""

    fingerprint: str
    kinds: tuple[str, ...]

    def accepts(self, key: HostKey) -> bool:
        """Return whether `key` is the pinned one."""
        return key.kind in self.kinds and key.fingerprint == self.fingerprint


def read_pin(text: str) -> Pin:
    """Return the pin of a fingerprint (`SHA256:...`) or a public key (`ssh-ed25519 AAAA...`); BadName for others."""
    if text.startswith(_PREFIX):
        return Pin(text.strip().rstrip("="), tuple(ALGORITHMS))
    kind, _, rest = text.strip().partition(" ")
    try:
        raw = b64decode(rest.split(" ")[0], validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadName("the host key is neither SHA256:... nor a public key") from error
    if kind not in ALGORITHMS or not raw:
        raise BadName(f"the host key is of none of the types {', '.join(ALGORITHMS)}")
    return Pin(_fingerprint(raw), (kind,))


def describe(key: asyncssh.SSHKey) -> HostKey:
    """Return type and fingerprint of a key that a server has shown."""
    return HostKey(key.get_algorithm(), _fingerprint(key.public_data))


def _fingerprint(raw: bytes) -> str:
    return _PREFIX + b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
