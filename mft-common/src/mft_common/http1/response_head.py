"""Read response heads of HTTP/1.1 strictly: a head that reads in two ways is refused."""

from dataclasses import dataclass
from typing import Final

from mft_common.http1.grammar import CONTENT_LENGTH, HOP_BY_HOP, RESPONSE_HEAD

MAX_HEAD: Final = 64 << 10


class MalformedResponse(ValueError):  # noqa: N818 -- reads as what it is where it is raised
    """The service sent bytes that are no response."""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A response's head; `length` is None without a Content-Length, `keep_alive` says that the connection is kept."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    length: int | None
    chunked: bool
    keep_alive: bool


def parse_response_head(raw: bytes) -> ResponseHead:
    """Read a whole head, its empty line included; hop-by-hop fields are taken out. Raises MalformedResponse."""
    match = RESPONSE_HEAD.fullmatch(raw)
    if match is None:
        raise MalformedResponse("malformed head")
    minor, status, reason, block = match.groups()
    headers: list[tuple[str, str]] = []
    own: dict[str, str] = {}
    for line in block.decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        value = value.strip(" \t")
        lower = name.lower()
        if lower in HOP_BY_HOP or lower == "content-length":
            own[lower] = f"{own[lower]},{value}" if lower in own else value
        else:
            headers.append((name, value))
    connection = {token.strip() for token in own.get("connection", "").lower().split(",")}
    if connection - {"", "close", "keep-alive"}:
        headers = [pair for pair in headers if pair[0].lower() not in connection]
    length = _content_length(own.get("content-length"))
    if length is not None:
        headers.append(("Content-Length", str(length)))
    coding = own.get("transfer-encoding")
    if coding is not None and (coding.lower() != "chunked" or length is not None):
        raise MalformedResponse("unclear Transfer-Encoding")
    keep_alive = "close" not in connection and (minor == b"1" or "keep-alive" in connection)
    return ResponseHead(int(status), (reason or b"").decode("latin-1"), headers, length, coding is not None, keep_alive)


def _content_length(text: str | None) -> int | None:
    if text is None:
        return None
    if CONTENT_LENGTH.fullmatch(text) is None:
        raise MalformedResponse("unclear Content-Length")
    return int(text)
