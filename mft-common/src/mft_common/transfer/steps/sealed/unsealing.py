"""Restore a protected file while it passes."""

from collections.abc import Iterator

from mft_common.transfer.steps.sealed.chunks import Content
from mft_common.transfer.steps.sealed.errors import NotAuthentic
from mft_common.transfer.steps.sealed.head import HeadReader, OpenKey
from mft_common.transfer.steps.sealed.header import CHUNK, TAG
from mft_common.transfer.steps.sealed.metadata import Metadata


class Unseal:
    """The step that restores one protected file; `metadata` is None until its first bytes have passed.

    Each returned block is authentic by itself; that the file is whole is known once `finish` has returned its last
    block, so what was returned may get its final name no earlier. NotSealed, NotAuthentic, or what `open_key` raises.
    """

    metadata: Metadata | None = None

    def __init__(self, open_key: OpenKey) -> None:
        self._head = HeadReader(open_key)
        self._content: Content | None = None

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Return the content of the chunks that are whole, but not of the last one."""
        rest = memoryview(block)
        if self._content is None:
            rest = self._head.feed(rest)
            if self._head.head is None:
                return
            self.metadata, cipher = self._head.head.metadata, self._head.head.cipher()
            self._content = Content(cipher.decrypt, self.metadata.size, taken=CHUNK + TAG, made=CHUNK)
        if len(rest) > self._content.left:
            raise NotAuthentic("continues after its last chunk")
        yield from self._content.feed(rest)

    def finish(self) -> Iterator[bytes]:
        """Return the content of the last chunk."""
        if self._content is None:
            self._head.end()
            return
        if self._content.left:
            raise NotAuthentic(f"is cut: its last {self._content.left} bytes are missing")
        yield self._content.finish()

    def close(self) -> None:
        """Do nothing: the key is gone with the object."""
