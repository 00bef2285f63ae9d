"""Encrypt packets by AES-GCM with half of the copies that asyncssh makes of each."""

from typing import Final, Self

from asyncssh.encryption import GCMEncryption, register_encryption_alg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# The names of the ciphers in SSH, and those of asyncssh's parameters for them.
CIPHERS: Final = {b"aes128-gcm@openssh.com": "aes128-gcm", b"aes256-gcm@openssh.com": "aes256-gcm"}
_FIXED: Final = 4
_COUNTER: Final = 8


class JoinedGcm(GCMEncryption):
    """One direction of a connection: the key is expanded once, and a packet stays in one piece with its tag.

    The first 4 bytes of the nonce are fixed, and the other 8 count the packets (RFC 5647, 7.1).
    """

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._aead = AESGCM(key)
        self._fixed = nonce[:_FIXED]
        self._count = int.from_bytes(nonce[_FIXED:], "big")

    @classmethod
    def new(cls, cipher_name: str, key: bytes, iv: bytes, *mac: object, **options: object) -> Self:
        """Return the encryption of one direction; asyncssh calls this at each key exchange."""
        del cipher_name, mac, options
        return cls(key, iv)

    def encrypt_packet(self, seq: int, header: bytes, packet: bytes) -> tuple[bytes, bytes]:
        """Return the header with the encrypted packet and its tag, and an empty tag besides."""
        del seq
        return header + self._aead.encrypt(self._nonce(), packet, header), b""

    def decrypt_packet(self, seq: int, first: bytes, rest: bytes, header_len: int, mac: bytes) -> bytes | None:
        """Return the decrypted packet; None where its tag does not belong to it."""
        del seq
        try:
            return self._aead.decrypt(self._nonce(), b"".join((first[header_len:], rest, mac)), first[:header_len])
        except InvalidTag:
            return None

    def _nonce(self) -> bytes:
        count = self._count
        self._count = (count + 1) % (1 << 8 * _COUNTER)
        return self._fixed + count.to_bytes(_COUNTER, "big")


def use() -> None:
    """Let the connections of this process that begin from now on encrypt by AES-GCM in this way."""
    for name, parameters in CIPHERS.items():
        register_encryption_alg(name, JoinedGcm, parameters, default=False)
