"""Join messages to the bytes of a file (229)."""

from collections.abc import Iterable, Iterator
from typing import Final

from mqmft_svc.domain.queues import delimiter_bytes
from mqmft_svc.domain.submissions import Source

# Small messages are handed over together.
_AT_LEAST: Final = 256 << 10


def joined(source: Source, bodies: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of messages with the delimiter of the request before or after each of them."""
    delimiter = delimiter_bytes(source.delimiter) if source.delimiter else b""
    before, after = (delimiter, b"") if source.delimiter_position == "prefix" else (b"", delimiter)
    block = bytearray()
    for body in bodies:
        block += before + body + after
        if len(block) >= _AT_LEAST:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
