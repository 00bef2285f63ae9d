"""Split a multipart body into its parts as it arrives, without copying content.

werkzeug's decoder is not used: it accepts a bare line feed as a line break, so that a file with a line like the
boundary is cut, and it adds a byte to the file when a read ends between the two last dashes of the body.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from filestore_svc.errors import BadSyntax
from filestore_svc.wire.parameters import parameters

_LONGEST_BOUNDARY = 200
_LONGEST_HEAD = 16 << 10
_LONGEST_PADDING = 64
_MOST_PARTS = 8
# The forms that most clients send, with nothing to be unquoted. One match costs a tenth of reading the parameters.
_PLAIN_TYPE = re.compile(rf"multipart/form-data; boundary=([0-9A-Za-z_-]{{1,{_LONGEST_BOUNDARY}}})")
# The headers of a part that decide which bytes are stored, and under which name: each may come once.
_ONCE = frozenset(
    ("content-disposition", "content-type", "content-transfer-encoding", "content-encoding", "content-range")
)
# The encodings that leave the bytes as they are (RFC 2045 6.2).
_PLAIN_ENCODINGS = frozenset(("7bit", "8bit", "binary"))
_PLAIN_DISPOSITION = re.compile(r'form-data; name="([ !#-\[\]-~]*)"(?:; filename="([ !#-\[\]-~]*)")?')


@dataclass(frozen=True)
class PartHead:
    """The head of a part: its field name, its file name where it has one, and its headers in lower case."""

    name: str
    filename: str | None
    headers: dict[str, str]


@dataclass(frozen=True)
class PartEnd:
    """The end of the current part."""


Event = PartHead | memoryview | PartEnd


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a Content-Type; BadSyntax unless it is multipart/form-data with a usable one."""
    plain = _PLAIN_TYPE.fullmatch(content_type)
    if plain is not None:
        return plain[1].encode()
    kind, options = parameters(content_type)
    boundary = options.get("boundary", "")
    if kind.lower() != "multipart/form-data" or not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise BadSyntax
    if not boundary.isascii() or not boundary.isprintable():
        raise BadSyntax
    return boundary.encode()


def framing(boundary: bytes) -> int:
    """Return the largest number of bytes that a body may have beside the content of its parts."""
    line = len(b"\r\n--") + len(boundary) + _LONGEST_PADDING + len(b"\r\n")
    head = _LONGEST_HEAD + len(b"\r\n\r\n")
    # Beside the parts: the preamble and the epilogue, which share one limit, and the line of the final boundary.
    return _MOST_PARTS * (line + head) + line + _LONGEST_HEAD


class Decoder:
    """Turns blocks of a body into heads, pieces of content and ends of parts, in constant memory.

    Lines end in CRLF (RFC 7578); anything that only resembles a boundary is content. BadSyntax for a malformed body,
    and from `finish` where the final boundary is missing.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first boundary has no line break before it: this one makes it equal to all others.
        self._held = b"\r\n"
        self._state = self._preamble
        self._parts = 0
        self._blank = 0
        self._waste = 0
        self.complete = False

    def feed(self, block: bytes) -> Iterator[Event]:
        """Yield the events that `block` completes; pieces of content are views of it, valid until the next block."""
        data = self._held + block if self._held else block
        self._held = b""
        position: int | None = 0
        while position is not None:  # each state returns where the next one begins, None when it needs another block
            events, position = self._state(data, position)
            yield from events

    def finish(self) -> None:
        """Raise BadSyntax unless the final boundary has been read."""
        if not self.complete:
            raise BadSyntax

    def _preamble(self, data: bytes, position: int) -> tuple[list[Event], int | None]:
        stop, after, final = self._boundary(data, position)
        self._waste += stop - position
        if self._waste > _LONGEST_HEAD:
            raise BadSyntax
        return [], self._next(after, final=final)

    def _content(self, data: bytes, position: int) -> tuple[list[Event], int | None]:
        stop, after, final = self._boundary(data, position)
        events: list[Event] = []
        if stop > position:
            position += self._blank
            self._blank = 0
            if stop > position:
                events.append(memoryview(data)[position:stop])
        if after is not None:
            events.append(PartEnd())
        return events, self._next(after, final=final)

    def _head(self, data: bytes, position: int) -> tuple[list[Event], int | None]:
        end = data.find(b"\r\n\r\n", position)
        if end < 0:
            self._held = data[position:]
            if len(self._held) > _LONGEST_HEAD:
                raise BadSyntax
            return [], None
        self._parts += 1
        if end - position > _LONGEST_HEAD or self._parts > _MOST_PARTS:
            raise BadSyntax
        self._state = self._content
        # The line break of the blank line may belong to the boundary: a part without content needs no blank line.
        self._blank = 2
        return [_head_of(data[position:end])], end + 2

    def _epilogue(self, data: bytes, position: int) -> tuple[list[Event], int | None]:
        self._waste += len(data) - position
        if self._waste > _LONGEST_HEAD:
            raise BadSyntax
        return [], None

    def _next(self, after: int | None, *, final: bool) -> int | None:
        if after is not None:
            self.complete = final
            self._state = self._epilogue if final else self._head
        return after

    def _boundary(self, data: bytes, position: int) -> tuple[int, int | None, bool]:
        """Return where the content stops, where data after a boundary begins (None: unknown), and if it is final."""
        at = position
        while True:
            found = data.find(self._delimiter, at)
            if found < 0:
                stop = self._possible_start(data, at)
                self._held = data[stop:]
                return stop, None, False
            verdict = self._line_end(data, found + len(self._delimiter))
            if verdict is None:
                self._held = data[found:]
                return found, None, False
            after, final = verdict
            if after > 0:
                return found, after, final
            at = found + 2

    def _possible_start(self, data: bytes, position: int) -> int:
        """Return the start of a boundary that the end of `data` may have cut, else the end of `data`."""
        at = data.find(b"\r", max(position, len(data) - len(self._delimiter) + 1))
        while at >= 0:
            if self._delimiter.startswith(data[at:]):
                return at
            at = data.find(b"\r", at + 1)
        return len(data)

    def _line_end(self, data: bytes, at: int) -> tuple[int, bool] | None:
        """Return the end of the boundary's line, and if it is the final one; (0, False): none, None: unknown yet."""
        rest = data[at : at + _LONGEST_PADDING + 2]
        if rest.startswith(b"--"):
            return at + 2, True
        padding = len(rest) - len(rest.lstrip(b" \t"))
        tail = rest[padding : padding + 2]
        if tail == b"\r\n":
            return at + padding + 2, False
        if len(rest) < _LONGEST_PADDING + 2 and (b"\r\n".startswith(tail) or rest == b"-"):
            return None
        return 0, False


def _head_of(raw: bytes) -> PartHead:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadSyntax from error
    headers: dict[str, str] = {}
    for line in text.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or "\n" in line or "\r" in line or (name in headers and name in _ONCE):
            raise BadSyntax
        headers.setdefault(name, value.strip())
    name, filename = _names(headers.get("content-disposition", ""))
    return PartHead(name, filename, headers)


def check_plain(head: PartHead) -> None:
    """Raise BadSyntax for a part whose content is not the bytes that are meant: encoded ones, or a range (S37)."""
    encoding = head.headers.get("content-transfer-encoding")
    if encoding is not None and encoding.lower() not in _PLAIN_ENCODINGS:
        raise BadSyntax
    if "content-range" in head.headers or head.headers.get("content-encoding", "identity").lower() != "identity":
        raise BadSyntax


def _names(disposition: str) -> tuple[str, str | None]:
    """Return the field's name and the file's, where there is one."""
    plain = _PLAIN_DISPOSITION.fullmatch(disposition)
    if plain is not None:
        return plain[1], plain[2]
    kind, options = parameters(disposition)
    if kind.lower() != "form-data" or "name" not in options:
        raise BadSyntax
    return options["name"], options.get("filename")
