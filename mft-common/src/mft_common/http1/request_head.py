"""Read a request head strictly: one grammar, no repair, so that no service behind can read it in another way."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from mft_common import environ_keys
from mft_common.http1.grammar import BARE_LF, CONTENT_LENGTH, REQUEST_HEAD, REQUEST_LINE, REQUEST_LINE_PREFIX

_ABSOLUTE = re.compile(r"https?://([^/?]+)(.*)", re.IGNORECASE)
_HOST = re.compile(r"(?:[0-9A-Za-z._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])?(?::[0-9]{0,5})?")
_COMMON: Final = (
    *("Host", "User-Agent", "Accept", "Accept-Encoding", "Connection", "Cookie", "Content-Type", "Content-Length"),
    *("Authorization", "Origin", "Referer", "X-Request-ID", "X-Forwarded-For", "X-Forwarded-Proto", "Range", "Expect"),
    *(
        "X-Forwarded-Host",
        "Transfer-Encoding",
        "Accept-Language",
        "If-None-Match",
        "If-Match",
        "ibm-mq-rest-csrf-token",
    ),
)


def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


_KEYS = {spelt: _key(name) for name in _COMMON for spelt in (name, name.lower())}
_ONCE = frozenset(("HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_AUTHORIZATION"))


class HeadError(ValueError):
    """A request head that is not served; `status` is 400, 414 or 431."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Head:
    """A request's head: its line, its framing, and its fields as the environment of a WSGI application."""

    __slots__ = ("chunked", "environ", "expects", "keep", "length", "method", "minor")

    def __init__(self, method: str, minor: int, environ: dict[str, str]) -> None:
        self.method = method
        self.minor = minor
        self.environ = environ
        self.length = 0
        self.chunked = False
        self.keep = _keeps(environ.get("HTTP_CONNECTION", ""), minor)
        self.expects = bool(minor) and environ.get("HTTP_EXPECT", "").lower() == "100-continue"


def _keeps(connection: str, minor: int) -> bool:
    if not connection:
        return bool(minor)
    options = {option.strip() for option in connection.lower().split(",")}
    return "close" not in options and (bool(minor) or "keep-alive" in options)


def parse(raw: bytes, max_fields: int) -> Head:
    """Read a whole head, its empty line included. Raises HeadError.

    Fields whose name has an underscore are left out: in an environment they could not be told from those with a
    hyphen, and nobody needs them.
    """
    match = REQUEST_HEAD.fullmatch(raw)
    if match is None:
        raise HeadError(400, "malformed head")
    method, target, minor, block = match.groups()
    lines = block.decode("latin-1").split("\r\n")
    if len(lines) > max_fields + 1:
        raise HeadError(431, "too many fields")
    environ: dict[str, str] = {}
    for line in lines[:-1]:
        name, _, value = line.partition(":")
        key = _KEYS.get(name)
        if key is None:
            if "_" in name:
                continue
            key = _key(name)
        value = value.strip(" \t")
        if key in environ:
            if key in _ONCE:
                raise HeadError(400, f"{name} twice")
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value
    head = Head(method.decode("latin-1"), int(minor), environ)
    _target(head, target.decode("latin-1"))
    _framing(head)
    return head


def _target(head: Head, target: str) -> None:
    environ = head.environ
    environ["RAW_URI"] = target
    host = environ.get("HTTP_HOST")
    if host is None:
        if head.minor:
            raise HeadError(400, "no Host")
    elif _HOST.fullmatch(host) is None:
        raise HeadError(400, "malformed Host")
    if target[0] != "/":
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is not None:
            # The target's host counts (RFC 9112, 3.2.2), but the field must be there and good all the same.
            host, target = absolute.groups()
            if _HOST.fullmatch(host) is None:
                raise HeadError(400, "malformed host of a target")
            environ["HTTP_HOST"] = host
            target = target if target.startswith("/") else f"/{target}"
        elif target != "*" or head.method != "OPTIONS":
            raise HeadError(400, "malformed target")
    path, _, query = target.partition("?")
    environ[environ_keys.RAW_PATH] = path
    environ["PATH_INFO"] = unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["REQUEST_METHOD"] = head.method
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.minor else "HTTP/1.0"


def _framing(head: Head) -> None:
    length = head.environ.get("CONTENT_LENGTH")
    coding = head.environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None:
        if length is not None or coding.lower() != "chunked" or not head.minor:
            raise HeadError(400, "unclear body")
        head.chunked = True
    elif length is not None:
        if CONTENT_LENGTH.fullmatch(length) is None:
            raise HeadError(400, "malformed Content-Length")
        head.length = int(length)
        # Zeros before the number are allowed; no reader behind gets to take them for an octal one.
        head.environ["CONTENT_LENGTH"] = str(head.length)


def check_begun(raw: bytes, max_line: int, max_head: int) -> None:
    """Raise HeadError when the head that has begun in `raw` can no longer become a good one.

    So a client that waits for an answer to a malformed line gets it at once, not after the time for a head.
    """
    end = raw.find(b"\n")
    if end < 0:
        if len(raw) > max_line:
            raise HeadError(414, "the request line is too long")
        if REQUEST_LINE_PREFIX.fullmatch(raw) is None:
            raise HeadError(400, "malformed request line")
        return
    if end > max_line:
        raise HeadError(414, "the request line is too long")
    if REQUEST_LINE.fullmatch(raw, 0, end) is None or BARE_LF.search(raw) is not None:
        raise HeadError(400, "malformed head")
    if len(raw) > max_head:
        raise HeadError(431, "the head is too long")


def method_and_path(raw: bytes) -> tuple[str, str]:
    """Return what can be read of a malformed head's method and decoded path, to choose the form of the answer."""
    words = raw[:8192].split(b"\n", 1)[0].split()
    if len(words) < 2:
        return "", ""
    target = words[1].decode("latin-1")
    absolute = _ABSOLUTE.fullmatch(target)
    path = (absolute[2] if absolute else target).partition("?")[0]
    return words[0].decode("latin-1"), unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
