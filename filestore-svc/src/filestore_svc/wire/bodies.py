"""Read the body of an upload block by block, and tell a whole one from one that was cut."""

import errno
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from werkzeug.exceptions import HTTPException

from filestore_svc.errors import BadSyntax, NoSpace, Refused, TooLarge
from filestore_svc.wire.multipart import Decoder, PartEnd, PartHead, check_plain, framing

BLOCK = 1 << 20
_LONGEST_METADATA = 256 << 10
# What parts of other names may hold together: they are read only to be thrown away.
_LONGEST_SKIPPED = 1 << 20


class Cut(BadSyntax):
    """The body ended before its end: the client went away, or the way to it did."""


class Sink(Protocol):
    """Where a file's bytes go."""

    def write(self, block: memoryview | bytes, /) -> object:
        """Take the next bytes."""
        ...


@dataclass(frozen=True)
class Form:
    """What an upload's body held: the head of its file, and its metadata as it came, with the type it came as."""

    file: PartHead
    metadata: bytes | None
    metadata_type: str | None


def length_of(environ: Mapping[str, Any]) -> int | None:
    """Return the declared length of the body: 0 when there is none, None for a body in chunks."""
    text = environ.get("CONTENT_LENGTH")
    if text:
        return int(text) if text.isascii() and text.isdigit() else 0
    return None if environ.get("wsgi.input_terminated") else 0


def least_file(length: int | None, boundary: bytes | None) -> int:
    """Return how many bytes the file has at least in a body of this declared length, None for chunks.

    Without a `boundary` the body is the file. In a multipart body it is what remains when everything else takes as much
    as it may: then no upload that could be taken is refused by it, and one that is larger by more is never begun.
    """
    if length is None or boundary is None:
        return length or 0
    return max(0, length - framing(boundary) - _LONGEST_METADATA - _LONGEST_SKIPPED)


def small(environ: Mapping[str, Any], most: int, too_large: Refused) -> bytes:
    """Return a whole body; `too_large` is raised for more than `most` bytes, Cut for a body that was cut."""
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
    """Yield the body's blocks; Cut when it is shorter than `length`, or when the server says that its end is missing.

    Behind gunicorn a cut body is a short stream without any error, which is why the bytes are counted. (S12)
    """
    rest = length
    while rest is None or rest > 0:
        try:
            block = stream.read(BLOCK if rest is None else min(BLOCK, rest))
        except HTTPException as error:
            raise (TooLarge() if error.code == 413 else Cut()) from error
        except Exception as error:  # each server has its own way to tell of a broken body
            raise Cut from error
        if not block:
            break
        if rest is not None:
            rest -= len(block)
        yield block
    if rest:
        raise Cut


def receive_form(source: Iterator[bytes], boundary: bytes, open_file: Callable[[PartHead], Sink]) -> Form:
    """Send the part `file` to the sink that `open_file` gives for its head; parts of other names are skipped.

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
    """Takes what nobody wants, up to its limit."""

    def __init__(self) -> None:
        self._size = 0

    def write(self, block: memoryview | bytes, /) -> None:
        self._size += len(block)
        if self._size > _LONGEST_SKIPPED:
            raise TooLarge


def no_space(error: OSError) -> NoSpace | None:
    """Return the refusal for a full disk, None for any other error."""
    return NoSpace() if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else None
