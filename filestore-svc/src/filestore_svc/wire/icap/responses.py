"""Parse ICAP responses incrementally, for every division of their bytes into reads."""

import hashlib
import itertools
import re
from collections.abc import Generator
from typing import Final, TypeVar

from filestore_svc.wire.icap.errors import ScannerAway

_LONGEST_LINE: Final = 8 << 10
_LONGEST_HEAD: Final = 64 << 10
_MOST_HEADERS: Final = 200
_LONGEST_NAME: Final = 200
_STATUS: Final = re.compile(rb"(ICAP|HTTP)/[0-9]\.[0-9] ([0-9]{3})(?: .*)?")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_SECTION: Final = re.compile(r"(req-hdr|res-hdr|req-body|res-body|opt-body|null-body)=([0-9]{1,9})")
_THREAT: Final = re.compile(r"Threat=([^;]*)", re.IGNORECASE)

T = TypeVar("T")
# A parser yields whenever it needs more bytes.
Parsing = Generator[None, None, T]


class IcapResponse:
    """One response, as far as it has arrived.

    `continued` is set by a 100, `status` by the final response. `sections` are the names of the encapsulated sections,
    `http_status` is the status of an encapsulated response. The body is not kept: `size` counts, `sha256` digests it.
    """

    def __init__(self) -> None:
        self.continued = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.sections: list[str] = []
        self.http_status = 0
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.complete = False
        self._buffer = bytearray()
        self._parser = self._read()

    def feed(self, data: bytes) -> None:
        """Parse the next bytes; ScannerAway where they are not ICAP."""
        self._buffer += data
        if not self.complete:
            self.complete = next(self._parser, True) is not None

    @property
    def exact(self) -> bool:
        """True when the response is complete and no byte followed it."""
        return self.complete and not self._buffer

    @property
    def threat(self) -> str:
        """The threat in the scanner's own words, empty where the headers name none."""
        found = self.headers.get("x-infection-found", "")
        if found:
            named = _THREAT.search(found)
            return _printable(named[1] if named else found)
        if self.headers.get("x-virus-id"):
            return _printable(self.headers["x-virus-id"])
        # The number of violations, then four lines for each: file, threat, two numbers.
        count, *lines = (line.strip() for line in self.headers.get("x-violations-found", "0").split("\n"))
        if count in ("", "0"):
            return ""
        return _printable(lines[1] if len(lines) > 1 else f"{count} violations")

    def _read(self) -> Parsing[None]:
        while True:
            status = _status_of((yield from self._line()), b"ICAP")
            headers = yield from self._headers()
            if status != 100:
                break
            self.continued = True
        sections = _layout(headers.get("encapsulated", ""))
        self.headers = headers
        self.sections = [name for name, _ in sections]
        self.status = status
        if status == 200 and sections:
            yield from self._encapsulated(sections)

    def _encapsulated(self, sections: list[tuple[str, int]]) -> Parsing[None]:
        """Read the heads, then the body."""
        for (name, start), (_, end) in itertools.pairwise(sections):
            head = yield from self._exactly(end - start)
            if name == "res-hdr":
                self.http_status = _status_of(head.partition(b"\n")[0].rstrip(b"\r"), b"HTTP")
        if sections[-1][0] not in ("null-body", "req-hdr", "res-hdr"):
            yield from self._chunks()

    def _chunks(self) -> Parsing[None]:
        while True:
            found = _CHUNK.fullmatch((yield from self._line()))
            if found is None:
                raise ScannerAway("the scanner's response has no chunk where one should begin")
            left = int(found[1], 16)
            if not left:
                break
            self.size += left
            while left:
                while not self._buffer:
                    yield
                block = self._buffer[:left]
                del self._buffer[:left]
                self.sha256.update(block)
                left -= len(block)
            if (yield from self._line()):
                raise ScannerAway("a chunk of the scanner's response is longer than it says")
        yield from self._headers()

    def _headers(self) -> Parsing[dict[str, str]]:
        headers: dict[str, str] = {}
        last = ""
        for _ in range(_MOST_HEADERS):
            line = (yield from self._line()).decode("latin-1")
            if not line:
                return headers
            if line[0] in " \t" and last:
                headers[last] += "\n" + line.strip()
                continue
            name, colon, value = line.partition(":")
            if not colon:
                raise ScannerAway("a header of the scanner's response has no colon")
            last = name.strip().lower()
            headers[last] = f"{headers[last]}, {value.strip()}" if last in headers else value.strip()
        raise ScannerAway("the scanner's response has too many headers")

    def _line(self) -> Parsing[bytes]:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise ScannerAway("a line of the scanner's response is too long")
            yield
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _exactly(self, size: int) -> Parsing[bytes]:
        while len(self._buffer) < size:
            yield
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found


def _status_of(line: bytes, protocol: bytes) -> int:
    found = _STATUS.fullmatch(line)
    if found is None or found[1] != protocol:
        raise ScannerAway(f"the scanner does not speak {protocol.decode()}")
    return int(found[2])


def _layout(text: str) -> list[tuple[str, int]]:
    """Return the sections of an `Encapsulated` header, which begin at 0 and follow each other."""
    if not text:
        return []
    sections: list[tuple[str, int]] = []
    for part in text.split(","):
        found = _SECTION.fullmatch(part.strip())
        if found is None or int(found[2]) < (sections[-1][1] if sections else 0):
            raise ScannerAway("the scanner's response has an Encapsulated header that makes no sense")
        sections.append((found[1], int(found[2])))
    if sections[0][1] or sections[-1][1] > _LONGEST_HEAD:
        raise ScannerAway("the scanner's response has an Encapsulated header that makes no sense")
    return sections


def _printable(text: str) -> str:
    """Return a name without the characters that logs and events must not hold."""
    return "".join(each for each in text.strip() if each.isprintable())[:_LONGEST_NAME] or "unnamed"
