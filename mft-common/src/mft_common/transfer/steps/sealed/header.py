"""Read and write the header of protected files: docs/sealed-format.md."""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final, Self

from mft_common import hpke
from mft_common.hpke import Suite
from mft_common.transfer.steps.sealed.errors import NotAuthentic, NotSealed, RecipientRefused

# The bytes of the header before the wrapped key.
FIXED: Final = 40
# The bytes of a file key, of a chunk's content, and of what encryption adds to it.
KEY: Final = 32
CHUNK: Final = 65_536
TAG: Final = 16
# Chunk 0 holds the metadata, and the number of a chunk has four bytes.
LARGEST: Final = ((1 << 32) - 1) * CHUNK
MOST_METADATA: Final = 65_536
PREFIX: Final = 7
UID: Final = 16
_MAGIC: Final = b"\x89XSEAL\r\n"
_VERSION: Final = 1
# Magic, version, suite, length of the header, length of the metadata, id, nonce prefix, a zero byte.
_LAYOUT: Final = struct.Struct(f">8sBBHI{UID}s{PREFIX}sB")
_INFO: Final = b"crossdock sealed file v1"


@dataclass(frozen=True)
class SealedHeader:
    """The first 40 bytes of a protected file.

    `uid` is the id of the ID (the 16 bytes of its UUID), `metadata_length` that of the metadata in clear, `prefix` the
    first bytes of each nonce.
    """

    uid: bytes
    suite: Suite
    metadata_length: int
    prefix: bytes

    @classmethod
    def parse(cls, first: bytes) -> Self:
        """Return the header that `first` begins with, at least 40 bytes; NotSealed."""
        if first[: len(_MAGIC)] != _MAGIC:
            raise NotSealed("is not a protected file")
        if len(first) < FIXED:
            raise NotSealed("is cut in its header")
        _, version, number, length, metadata_length, uid, prefix, zero = _LAYOUT.unpack(first[:FIXED])
        if version != _VERSION:
            raise NotSealed(f"is a protected file of the unknown version {version}")
        if number not in tuple(Suite):
            raise NotSealed(f"is a protected file of the unknown suite {number}")
        header = cls(uid, Suite(number), metadata_length, prefix)
        if length != header.length or zero or not 1 <= metadata_length <= MOST_METADATA:
            raise NotSealed("has a header with a number out of range")
        return header

    @property
    def wrapped_length(self) -> int:
        """The bytes of the wrapped key."""
        return KEY + self.suite.overhead

    @property
    def length(self) -> int:
        """The bytes of the whole header, the wrapped key included."""
        return FIXED + self.wrapped_length

    @property
    def fixed(self) -> bytes:
        """The first 40 bytes."""
        return _LAYOUT.pack(
            _MAGIC, _VERSION, self.suite, self.length, self.metadata_length, self.uid, self.prefix, 0
        )  # fmt: skip

    @property
    def info(self) -> bytes:
        """The `info` of HPKE, which binds the wrapped key to the first 40 bytes."""
        return _INFO + hashlib.sha256(self.fixed).digest()

    def digest(self, wrapped: bytes) -> bytes:
        """Return the SHA-256 of the whole header, the associated data of each chunk."""
        return hashlib.sha256(self.fixed + wrapped).digest()

    def wrap(self, public_key: bytes, key: bytes) -> bytes:
        """Return the file key encrypted for a public key; RecipientRefused where that is none of the suite."""
        try:
            return hpke.encrypt(self.suite, public_key, key, self.info)
        except hpke.KeyRefused as error:
            raise RecipientRefused(f"the recipient cannot be used: {error}") from error

    def unwrap(self, private_key: bytes, wrapped: bytes) -> bytes:
        """Return the file key; NotAuthentic where the header was changed or is not for this private key."""
        try:
            return hpke.decrypt(self.suite, private_key, wrapped, self.info)
        except hpke.NotDecrypted as error:
            raise NotAuthentic("was protected for another key, or its header was changed") from error
