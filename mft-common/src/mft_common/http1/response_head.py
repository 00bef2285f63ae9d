"""Write request heads and read response heads of HTTP/1.1, strictly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mft_common import environ_keys
from mft_common.http1.grammar import CONTENT_LENGTH, RESPONSE_HEAD

MAX_HEAD: Final = 64 << 10
# Fields that speak of one connection alone, and those that the sender of each hop writes itself.
HOP_BY_HOP: Final = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
_NAMES: dict[str, str] = {}


class BadResponse(ValueError):  # noqa: N818 -- reads as what it is where it is raised
    """What the service sent is no response head."""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A response's head; `length` is None without a Content-Length, `keep` says whether the connection may go on."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    length: int | None
    chunked: bool
    keep: bool


def parse(raw: bytes) -> ResponseHead:
    """Read a whole head, its empty line included; hop-by-hop fields are taken out. Raises BadResponse."""
    match = RESPONSE_HEAD.fullmatch(raw)
    if match is None:
        raise BadResponse("malformed head")
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
        raise BadResponse("unclear Transfer-Encoding")
    keep = "close" not in connection and (minor == b"1" or "keep-alive" in connection)
    return ResponseHead(int(status), (reason or b"").decode("latin-1"), headers, length, coding is not None, keep)


def _content_length(text: str | None) -> int | None:
    if text is None:
        return None
    if CONTENT_LENGTH.fullmatch(text) is None:
        raise BadResponse("unclear Content-Length")
    return int(text)


def request(environ: Mapping[str, Any], base_path: str) -> bytes:
    """Return the head of the request in `environ` for the next hop, without its framing fields and its empty line.

    The target is the client's own text where the server kept it, so that nothing is decoded on the way.
    """
    dropped = _connection_tokens(environ.get("HTTP_CONNECTION", ""))
    lines = [f"{environ['REQUEST_METHOD']} {base_path}{_target(environ)} HTTP/1.1"]
    for key, value in environ.items():
        if key[:5] == "HTTP_":
            name = _NAMES.get(key)
            if name is None:
                name = _name(key)
            if name and not (dropped and name.lower() in dropped):
                lines.append(f"{name}: {value}")
    if content_type := environ.get("CONTENT_TYPE"):
        lines.append(f"Content-Type: {content_type}")
    text = "\r\n".join(lines) + "\r\n"
    # Each line was free of line breaks when it came in; a field added since must not smuggle one in.
    if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
        raise ValueError("a request field holds a line break")
    return text.encode("latin-1")


def _target(environ: Mapping[str, Any]) -> str:
    path = environ.get(environ_keys.RAW_PATH) or _quoted(environ.get("PATH_INFO") or "/")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def _quoted(path: str) -> str:
    from urllib.parse import quote  # only requests that no server of ours took need it

    return quote(path.encode("latin-1"), safe="/!$&'()*+,;=:@~")


def _connection_tokens(value: str) -> set[str]:
    if not value or value.lower() in ("keep-alive", "close"):
        return set()
    return {token.strip().lower() for token in value.split(",")}


def _name(key: str) -> str:
    """Return a field's name for an environment key, empty for one that belongs to a single hop."""
    name = key[5:].replace("_", "-").title()
    if name.lower() in HOP_BY_HOP or name == "Expect":
        name = ""
    if len(_NAMES) < 512:  # clients choose names: a bounded number of them is remembered
        _NAMES[key] = name
    return name
