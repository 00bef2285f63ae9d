"""A machine as its fingerprint describes it (10.1)."""

import hashlib
from dataclasses import dataclass
from typing import Final

# The one algorithm of the keys of machines (98).
MACHINE_ALGORITHM: Final = "X25519"
_ID_DIGITS: Final = 32


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One device of a fingerprint. `public_key` is its raw X25519 key, None where it has none that can be used.

    Nothing but `uuid` and `public_key` ever decides anything; the rest changes with the system and is for people.
    """

    id: str
    uuid: str
    name: str = ""
    architecture: str = ""
    cpu_model: str = ""
    machine_name: str = ""
    os_name: str = ""
    os_version: str = ""
    public_key: bytes | None = None

    @property
    def configuration_id(self) -> str:
        """The id of the Configuration element around it, which depends on the machine alone."""
        return hashlib.sha256(f"configuration {self.id}".encode()).hexdigest()[:_ID_DIGITS]


def device_id(public_key: bytes, uuid: str) -> str:
    """Return the id of the machine with that raw public key and MachineUUID: 32 hex digits (99)."""
    return hashlib.sha256(public_key + uuid.encode()).hexdigest()[:_ID_DIGITS]
