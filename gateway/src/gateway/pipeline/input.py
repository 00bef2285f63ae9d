"""Count a body of unknown length while it is read, and stop at the limit."""

from collections.abc import Iterator
from typing import Any

from gateway.pipeline.context import RequestContext


class BodyTooLargeError(Exception):
    """A body grew beyond its route's limit."""


class LimitedInput:
    """`wsgi.input` for a body in chunks; what passes the limit is never handed on."""

    def __init__(self, stream: Any, limit: int, context: RequestContext) -> None:
        self._stream = stream
        self._left = limit
        self._context = context
        if hasattr(stream, "ready_before"):
            self.ready_before = stream.ready_before

    def read(self, size: int | None = -1) -> bytes:
        """See io.RawIOBase; never asks for more than one byte past the limit."""
        most = self._left + 1
        return self._counted(self._stream.read(most if size is None or size < 0 else min(size, most)))

    def read1(self, size: int = -1) -> bytes:
        """Return at least one byte, as soon as there are any."""
        read = getattr(self._stream, "read1", self._stream.read)
        most = self._left + 1
        return self._counted(read(most if size < 0 else min(size, most)))

    def readline(self, size: int | None = -1) -> bytes:
        """See io.RawIOBase."""
        most = self._left + 1
        return self._counted(self._stream.readline(most if size is None or size < 0 else min(size, most)))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _counted(self, block: bytes) -> bytes:
        self._left -= len(block)
        if self._left < 0:
            self._context.too_large = True
            raise BodyTooLargeError("the body is larger than its limit")
        return block
