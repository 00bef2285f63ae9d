"""The key pair of this machine: made at the first start, or given as a file (98)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from mft_common import hpke, logs
from mft_common.errors import MftError
from mft_common.hpke import Suite
from sertainty_svc.operations.protection.first_write import write_first
from sertainty_svc.schemas.configuration import Section, is_below
from sertainty_svc.settings import Settings


class HostKeyUnusable(MftError):  # noqa: N818 -- a condition
    """The file of the host key cannot be read, or holds no X25519 key."""


@dataclass(frozen=True)
class HostKey:
    """The X25519 pair of this machine, as raw bytes; all workers and web processes of a hub share it."""

    private: bytes = field(repr=False)
    public: bytes

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the key from a PEM file (PKCS #8, not encrypted); HostKeyUnusable without its path."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise HostKeyUnusable(f"the host key cannot be read ({type(error).__name__})") from error
        if not isinstance(key, X25519PrivateKey):
            raise HostKeyUnusable("the host key is no X25519 key")
        return cls(key.private_bytes_raw(), key.public_key().public_bytes_raw())

    def decrypt(self, wrapped: bytes, info: bytes) -> bytes:
        """Return what was encrypted to this machine; NotDecrypted where it was not, or for another `info`."""
        return hpke.decrypt(Suite.X25519, self.private, wrapped, info)


def location(settings: Settings, section: Section) -> Path:
    """Return the path of the host key: the environment's, else the configuration's, else that in the state folder."""
    given = settings.host_key_file or section.host_key_file
    return settings.state / "host.key" if given is None else Path(given)


def ensure(settings: Settings, section: Section) -> HostKey:
    """Return the host key at a start, and make it where the state folder has none; one that is given must exist."""
    path = location(settings, section)
    if is_below(path, section.folders):
        raise HostKeyUnusable("the host key lies in a folder that tasks reach")
    if settings.host_key_file is None and section.host_key_file is None and not path.exists():
        key = X25519PrivateKey.generate()
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        write_first(path, key.private_bytes(encoding, form, serialization.NoEncryption()))
        logs.get("protection").info("host_key.created", path=str(path))
    return HostKey.load(path)
