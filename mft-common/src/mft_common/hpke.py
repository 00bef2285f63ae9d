"""Encrypt short secrets for one public key by HPKE, base mode, single shot (RFC 9180)."""

import enum
import hashlib
import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from mft_common.errors import MftError

# A private key of either suite, in bytes.
PRIVATE_KEY: Final = 32
_TAG: Final = 16
_MLKEM_SEED: Final = 64
_MLKEM_PUBLIC: Final = 1184
_X25519_PUBLIC: Final = 32

_PrivateKey = X25519PrivateKey | hpke.MLKEM768X25519PrivateKey
_PublicKey = X25519PublicKey | hpke.MLKEM768X25519PublicKey


class HpkeError(MftError):
    """A key or a ciphertext cannot be used."""


class KeyRefused(HpkeError):  # noqa: N818 -- a condition
    """The bytes are no key of the suite."""


class NotDecrypted(HpkeError):  # noqa: N818 -- a condition
    """The ciphertext was changed, or made for another key or with another `info`."""


class Suite(enum.IntEnum):
    """A key encapsulation, each with HKDF-SHA256 and AES-256-GCM; the numbers are those of protected files."""

    X25519 = 1
    MLKEM768_X25519 = 2

    @property
    def encapsulation(self) -> int:
        """The bytes of an encapsulated key."""
        return _KEMS[self].encapsulation

    @property
    def overhead(self) -> int:
        """The bytes by which a ciphertext is longer than its plaintext."""
        return self.encapsulation + _TAG

    @property
    def public_length(self) -> int:
        """The bytes of a public key."""
        return _KEMS[self].public_length


@dataclass(frozen=True)
class _Kem:
    cipher: hpke.Suite
    encapsulation: int
    public_length: int


def _kem(kem: hpke.KEM, public_length: int) -> _Kem:
    return _Kem(hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM), kem.enc_length(), public_length)


_KEMS: Final = {
    Suite.X25519: _kem(hpke.KEM.X25519, _X25519_PUBLIC),
    Suite.MLKEM768_X25519: _kem(hpke.KEM.MLKEM768_X25519, _MLKEM_PUBLIC + _X25519_PUBLIC),
}


def generate() -> bytes:
    """Return a new private key, 32 random bytes that serve either suite."""
    return os.urandom(PRIVATE_KEY)


def public_bytes(suite: Suite, private: bytes) -> bytes:
    """Return the public key of a private one: 32 bytes of X25519; ML-KEM-768's 1184 and then X25519's 32 in suite 2."""
    key = _private_key(suite, private)
    if isinstance(key, X25519PrivateKey):
        return key.public_key().public_bytes_raw()
    mlkem, x25519 = _expanded(private)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def encrypt(suite: Suite, public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Return the encapsulated key followed by the ciphertext; KeyRefused where `public` is no key of the suite.

    `info` is not part of the result: decryption needs the same.
    """
    key = _public_key(suite, public)
    try:
        return _KEMS[suite].cipher.encrypt(plaintext, key, info=info)
    except ValueError as error:
        raise KeyRefused("the public key leads to no shared secret") from error


def decrypt(suite: Suite, private: bytes, ciphertext: bytes, info: bytes) -> bytes:
    """Return the plaintext that `encrypt` was given; KeyRefused or NotDecrypted."""
    key = _private_key(suite, private)
    try:
        return _KEMS[suite].cipher.decrypt(ciphertext, key, info=info)
    except (InvalidTag, ValueError) as error:
        raise NotDecrypted("the ciphertext was changed, or made for another key") from error


def _expanded(private: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    """Return both keys that suite 2 makes of one private key (X-Wing, draft-connolly-cfrg-xwing-kem)."""
    seed = hashlib.shake_256(private).digest(_MLKEM_SEED + _X25519_PUBLIC)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(seed[:_MLKEM_SEED])
    return mlkem, X25519PrivateKey.from_private_bytes(seed[_MLKEM_SEED:])


def _private_key(suite: Suite, private: bytes) -> _PrivateKey:
    if len(private) != PRIVATE_KEY:
        raise KeyRefused(f"a private key is {PRIVATE_KEY} bytes long, this one {len(private)}")
    if suite is Suite.X25519:
        return X25519PrivateKey.from_private_bytes(private)
    return hpke.MLKEM768X25519PrivateKey(*_expanded(private))


def _public_key(suite: Suite, public: bytes) -> _PublicKey:
    if len(public) != suite.public_length:
        raise KeyRefused(f"a public key of this suite is {suite.public_length} bytes long, this one {len(public)}")
    if suite is Suite.X25519:
        return X25519PublicKey.from_public_bytes(public)
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC])
    except ValueError as error:
        raise KeyRefused("the public key is no ML-KEM-768 key") from error
    return hpke.MLKEM768X25519PublicKey(mlkem, X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC:]))
