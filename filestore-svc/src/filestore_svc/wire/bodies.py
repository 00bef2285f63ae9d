"""Read request bodies in blocks, and detect one that ends before its end."""

import errno
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from werkzeug.exceptions import HTTPException

from filestore_svc.errors import BadSyntax, NoSpace, RequestRejected, TooLarge
from filestore_svc.wire.multipart import Decoder, PartEnd, PartHead, check_plain, framing
from mft_common.http1 import RequestBodyError

BLOCK = 1 << 20
_LONGEST_METADATA = 256 << 10
# The most bytes in parts of other names, which are read and discarded.
_LONGEST_SKIPPED = 1 << 20


class IncompleteBody(BadSyntax):
    """The body ended before its end: the client or the connection to it failed."""


class Sink(Protocol):
    """The destination of a file's bytes."""

    def write(self, block: memoryview | bytes, /) -> object:
        """Take the next bytes."""
        ...


@dataclass(frozen=True)
class Form:
    """The parts of a multipart upload: the head of the file, and the raw metadata with its Content-Type."""

    file: PartHead
    metadata: bytes | None
    metadata_type: str | None


def length_of(environ: Mapping[str, Any]) -> int | None:
    """Return the declared length of the body: 0 for no body, None for a chunked one."""
    text = environ.get("CONTENT_LENGTH")
    if text:
        return int(text) if text.isascii() and text.isdigit() else 0
    return None if environ.get("wsgi.input_terminated") else 0


def minimum_file_size(length: int | None, boundary: bytes | None) -> int:
    """Return the least number of bytes that the file can have in a body of this declared length (None: chunked).

    Without a `boundary` the body is the file. In a multipart body the file has at least the bytes that remain when
    all other content is as long as it may be, so that no upload is refused that could have been accepted.
    """
    if length is None or boundary is None:
        return length or 0
    return max(0, length - framing(boundary) - _LONGEST_METADATA - _LONGEST_SKIPPED)


def read_limited(environ: Mapping[str, Any], most: int, too_large: RequestRejected) -> bytes:
    """Return a whole body; raise `too_large` for more than `most` bytes, IncompleteBody for a body without its end."""
    length = length_of(environ)
    if length is not None and length > most:
        raise too_large
    body = bytearray()
    for block in blocks(environ["wsgi.input"], length):
        body += block
        if len(body) > most:
            raise too_large
    return bytes(body)


def blocks(stream: Any, length: int | None) -> Iterator[bytes]:
    """Yield the blocks of the body; IncompleteBody when it is shorter than `length` or the server reports an error.

    The bytes are counted because a server may read an incomplete body as a short stream, without an error (S12). Bytes
    that arrived before a cut are yielded before IncompleteBody is raised (X1).
    """
    rest = length
    while rest is None or rest > 0:
        try:
            block = stream.read(BLOCK if rest is None else min(BLOCK, rest))
        except RequestBodyError as error:
            if error.partial:
                yield error.partial
            raise (TooLarge() if error.status == 413 else IncompleteBody()) from error
        except HTTPException as error:
            raise (TooLarge() if error.code == 413 else IncompleteBody()) from error
        except Exception as error:  # each server raises errors of its own for a broken body
            raise IncompleteBody from error
        if not block:
            break
        if rest is not None:
            rest -= len(block)
        yield block
    if rest:
        raise IncompleteBody


def receive_form(source: Iterator[bytes], boundary: bytes, open_file: Callable[[PartHead], Sink]) -> Form:
    """Write the part `file` to the sink that `open_file` returns for its head; parts of other names are discarded.

    BadSyntax for a body that is no multipart, has no `file` part or two, two `metadata` parts, or one of these encoded;
    TooLarge for more than a mebibyte in parts of other names. (8, S12, S13, S37)
    """
    decoder = Decoder(boundary)
    heads: dict[str, PartHead] = {}
    metadata = _Bounded()
    sink: Sink = _Skipped()
    skipped = sink
    for block in source:
        for event in decoder.feed(block):
            if isinstance(event, memoryview):
                sink.write(event)
            elif isinstance(event, PartEnd):
                sink = skipped
            elif event.name in ("file", "metadata"):
                if event.name in heads:
                    raise BadSyntax
                check_plain(event)
                heads[event.name] = event
                sink = open_file(event) if event.name == "file" else metadata
    decoder.finish()
    if "file" not in heads:
        raise BadSyntax
    if "metadata" not in heads:
        return Form(heads["file"], None, None)
    return Form(heads["file"], bytes(metadata.bytes), heads["metadata"].headers.get("content-type"))


class _Bounded:
    """Collects the metadata, up to its limit (S24)."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def write(self, block: memoryview | bytes, /) -> None:
        if len(self.bytes) + len(block) > _LONGEST_METADATA:
            raise BadSyntax
        self.bytes += block


class _Skipped:
    """Discards parts of other names, up to their limit."""

    def __init__(self) -> None:
        self._size = 0

    def write(self, block: memoryview | bytes, /) -> None:
        self._size += len(block)
        if self._size > _LONGEST_SKIPPED:
            raise TooLarge


def no_space(error: OSError) -> NoSpace | None:
    """Return NoSpace for an error of a full disk, None for any other error."""
    return NoSpace() if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else None
