"""Cut the content of a protected file into chunks, and encrypt or decrypt each (the STREAM construction)."""

from collections.abc import Callable, Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mft_common.transfer.steps.sealed.errors import NotAuthentic
from mft_common.transfer.steps.sealed.header import CHUNK, TAG

# Chunks that are returned at once; blocks of 1 MiB are cut into few, and no returned block is larger than that.
_AT_ONCE: Final = 8


class FileCipher:
    """AES-256-GCM under the key of one file; `digest` is the SHA-256 of its header."""

    def __init__(self, key: bytes, prefix: bytes, digest: bytes) -> None:
        self._cipher = AESGCM(key)
        self._prefix = prefix
        self._digest = digest

    def encrypt(self, number: int, last: bool, data: memoryview, out: memoryview) -> None:
        """Encrypt chunk `number` into `out`, which is 16 bytes longer than `data`."""
        self._cipher.encrypt_into(self._nonce(number, last), data, self._digest, out)

    def decrypt(self, number: int, last: bool, data: memoryview, out: memoryview) -> None:
        """Decrypt chunk `number` into `out`, which is 16 bytes shorter than `data`; NotAuthentic."""
        try:
            self._cipher.decrypt_into(self._nonce(number, last), data, self._digest, out)
        except InvalidTag as error:
            raise NotAuthentic(f"is damaged in chunk {number}, or another key was used") from error

    def encrypt_metadata(self, data: bytes) -> bytes:
        """Return chunk 0."""
        return self._cipher.encrypt(self._nonce(0, last=False), data, self._digest)

    def decrypt_metadata(self, data: bytes) -> bytes:
        """Return the content of chunk 0; NotAuthentic."""
        out = memoryview(bytearray(len(data) - TAG))
        self.decrypt(0, False, memoryview(data), out)
        return bytes(out)

    def _nonce(self, number: int, last: bool) -> bytes:
        return self._prefix + number.to_bytes(4, "big") + (b"\1" if last else b"\0")


# Encrypts or decrypts the chunk of a number, the last one or not, from the first buffer into the second one.
Transform = Callable[[int, bool, memoryview, memoryview], None]


class Content:
    """The chunks 1 to n of a file of `size` bytes, from blocks of any size, in constant memory.

    `taken` and `made` are the bytes that a whole chunk has before and after `transform`, of which one is CHUNK.
    `left` counts the bytes that are still to come. The last chunk is transformed by `finish`.
    """

    def __init__(self, transform: Transform, size: int, *, taken: int, made: int) -> None:
        # An empty file has one empty chunk.
        self._chunks = max(1, -(-size // CHUNK))
        self.left = size + (taken - CHUNK) * self._chunks
        self._transform = transform
        self._taken = taken
        self._made = made
        self._number = 0
        # A part of a chunk, or the whole last one.
        self._kept = bytearray()
        self._out = memoryview(bytearray(_AT_ONCE * made))

    def feed(self, block: memoryview) -> Iterator[bytes]:
        """Return the chunks before the last one that are whole by now; `block` is at most `left` bytes long."""
        self.left -= len(block)
        if self._kept:
            missing = self._taken - len(self._kept)
            self._kept += block[:missing]
            block = block[missing:]
            if self._whole(len(self._kept)):
                with memoryview(self._kept) as kept:
                    made = self._transformed(kept)
                self._kept.clear()
                yield made
        while count := self._whole(len(block)):
            end = min(count, _AT_ONCE) * self._taken
            yield self._transformed(block[:end])
            block = block[end:]
        self._kept += block

    def finish(self) -> bytes:
        """Return the last chunk, once no byte is left."""
        data = memoryview(self._kept)
        end = len(data) + self._made - self._taken
        self._transform(self._number + 1, True, data, self._out[:end])
        return bytes(self._out[:end])

    def _whole(self, length: int) -> int:
        """Return how many chunks before the last one are whole in so many bytes."""
        return min(length // self._taken, self._chunks - 1 - self._number)

    def _transformed(self, data: memoryview) -> bytes:
        count = len(data) // self._taken
        for place in range(count):
            self._number += 1
            start, at = place * self._taken, place * self._made
            self._transform(
                self._number, False, data[start : start + self._taken], self._out[at : at + self._made]
            )  # fmt: skip
        return bytes(self._out[: count * self._made])
