"""Read the header and the metadata of a protected file."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mft_common.endpoints.errors import Changed
from mft_common.transfer.steps.sealed.chunks import FileCipher
from mft_common.transfer.steps.sealed.errors import NotAuthentic
from mft_common.transfer.steps.sealed.header import FIXED, KEY, TAG, SealedHeader
from mft_common.transfer.steps.sealed.metadata import Metadata

# Returns the 32-byte file key of a header and a wrapped key, or raises a TransferError.
OpenKey = Callable[[SealedHeader, bytes], bytes]


@dataclass(frozen=True)
class Head:
    """The beginning of a protected file: its header, its authenticated metadata, and its key.

    `digest` is the SHA-256 of the whole header, `length` the bytes of the file before chunk 1.
    """

    header: SealedHeader
    metadata: Metadata
    digest: bytes
    key: bytes = field(repr=False)

    @property
    def length(self) -> int:
        """The bytes of the file before the chunks of its content."""
        return self.header.length + self.header.metadata_length + TAG

    def cipher(self) -> FileCipher:
        """Return the cipher of the file."""
        return FileCipher(self.key, self.header.prefix, self.digest)

    def open_again(self, header: SealedHeader, wrapped: bytes) -> bytes:
        """Return the key of this same file, an OpenKey for `Unseal`; Changed where another file has its name by now."""
        if header.digest(wrapped) != self.digest:
            raise Changed("the protected file was replaced while it was read")
        return self.key


class HeadReader:
    """Takes the first bytes of a protected file until its `head` is known."""

    def __init__(self, open_key: OpenKey) -> None:
        self.head: Head | None = None
        self._open_key = open_key
        self._bytes = bytearray()
        self._header: SealedHeader | None = None
        self._needed = FIXED

    @property
    def missing(self) -> int:
        """The bytes that the next step needs; more of them may follow."""
        return self._needed - len(self._bytes)

    def feed(self, block: memoryview) -> memoryview:
        """Take what belongs to the head and return the rest; NotSealed, NotAuthentic, or what `open_key` raises."""
        while self.head is None and block:
            count = self.missing
            self._bytes += block[:count]
            block = block[count:]
            if not self.missing:
                self._advance()
        return block

    def end(self) -> None:
        """Raise because the file has ended."""
        if self._header is None:
            SealedHeader.parse(bytes(self._bytes))
        raise NotAuthentic("is cut before its content")

    def _advance(self) -> None:
        if self._header is None:
            self._header = SealedHeader.parse(bytes(self._bytes))
            self._needed = self._header.length + self._header.metadata_length + TAG
            return
        header = self._header
        wrapped = bytes(self._bytes[FIXED : header.length])
        key = self._open_key(header, wrapped)
        if len(key) != KEY:
            raise NotAuthentic("has a wrapped key of another length")
        digest = header.digest(wrapped)
        cipher = FileCipher(key, header.prefix, digest)
        data = cipher.decrypt_metadata(bytes(self._bytes[header.length :]))
        self.head = Head(header, Metadata.decode(data), digest, key)
        self._bytes.clear()


def read_head(read: Callable[[int], bytes], open_key: OpenKey) -> Head:
    """Read the head of a protected file; NotSealed, NotAuthentic, or what `open_key` and `read` raise.

    `read(count)` returns the next bytes, at most `count`, and b"" at the end, as `Reader.read` does.
    """
    reader = HeadReader(open_key)
    while reader.head is None:
        block = read(reader.missing)
        if not block:
            reader.end()
        reader.feed(memoryview(block))
    return reader.head
