"""Protect a file while it passes."""

import os
from collections.abc import Iterator

from mft_common.endpoints.errors import Changed
from mft_common.hpke import Suite
from mft_common.transfer.steps.sealed.chunks import Content, FileCipher
from mft_common.transfer.steps.sealed.header import CHUNK, KEY, PREFIX, TAG, SealedHeader
from mft_common.transfer.steps.sealed.metadata import Metadata


class Seal:
    """The step that protects one file, under a key and a nonce prefix of its own.

    `uid` is the id of the ID, `public_key` the one that its holders can decrypt with. Of another size than the metadata
    tell the file is refused as Changed. RecipientRefused, BadName or DiskFull where it cannot be protected at all.
    """

    def __init__(self, uid: bytes, suite: Suite, public_key: bytes, metadata: Metadata) -> None:
        data = metadata.encode()
        key = os.urandom(KEY)
        header = SealedHeader(uid, suite, len(data), os.urandom(PREFIX))
        wrapped = header.wrap(public_key, key)
        cipher = FileCipher(key, header.prefix, header.digest(wrapped))
        self._head = header.fixed + wrapped + cipher.encrypt_metadata(data)
        self._content = Content(cipher.encrypt, metadata.size, taken=CHUNK, made=CHUNK + TAG)

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Return the header before the first chunk, and the chunks that are whole; Changed where the file has grown."""
        if len(block) > self._content.left:
            raise Changed("the file grew while it was protected")
        yield self._take_head()
        yield from self._content.feed(memoryview(block))

    def finish(self) -> Iterator[bytes]:
        """Return the last chunk; Changed where the file has shrunk."""
        if self._content.left:
            raise Changed("the file shrank while it was protected")
        yield self._take_head()
        yield self._content.finish()

    def close(self) -> None:
        """Do nothing: the key is gone with the object."""

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head
