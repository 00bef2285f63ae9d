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


class RequestHeadError(ValueError):
    """A request head is rejected; `status` is 400, 414 or 431."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class RequestHead:
    """A request's head: its line, its framing, and its fields as the environment of a WSGI application."""

    __slots__ = ("chunked", "environ", "expects_continue", "keep_alive", "length", "method", "minor")

    def __init__(self, method: str, minor: int, environ: dict[str, str]) -> None:
        self.method = method
        self.minor = minor
        self.environ = environ
        self.length = 0
        self.chunked = False
        self.keep_alive = _keeps(environ.get("HTTP_CONNECTION", ""), minor)
        self.expects_continue = bool(minor) and environ.get("HTTP_EXPECT", "").lower() == "100-continue"


def _keeps(connection: str, minor: int) -> bool:
    if not connection:
        return bool(minor)
    options = {option.strip() for option in connection.lower().split(",")}
    return "close" not in options and (bool(minor) or "keep-alive" in options)


def parse_request_head(raw: bytes, max_fields: int) -> RequestHead:
    """Read a whole head, its empty line included. Raises RequestHeadError.

    Fields whose name has an underscore are left out: an environment cannot tell them from those with a hyphen.
    """
    match = REQUEST_HEAD.fullmatch(raw)
    if match is None:
        raise RequestHeadError(400, "malformed head")
    method, target, minor, block = match.groups()
    lines = block.decode("latin-1").split("\r\n")
    if len(lines) > max_fields + 1:
        raise RequestHeadError(431, "too many fields")
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
                raise RequestHeadError(400, f"{name} twice")
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value
    head = RequestHead(method.decode("latin-1"), int(minor), environ)
    _target(head, target.decode("latin-1"))
    _framing(head)
    return head


def _target(head: RequestHead, target: str) -> None:
    environ = head.environ
    environ["RAW_URI"] = target
    host = environ.get("HTTP_HOST")
    if host is None:
        if head.minor:
            raise RequestHeadError(400, "no Host")
    elif _HOST.fullmatch(host) is None:
        raise RequestHeadError(400, "malformed Host")
    if target[0] != "/":
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is not None:
            # The target's host counts (RFC 9112, 3.2.2), but the field must be there and good all the same.
            host, target = absolute.groups()
            if _HOST.fullmatch(host) is None:
                raise RequestHeadError(400, "malformed host of a target")
            environ["HTTP_HOST"] = host
            target = target if target.startswith("/") else f"/{target}"
        elif target != "*" or head.method != "OPTIONS":
            raise RequestHeadError(400, "malformed target")
    path, _, query = target.partition("?")
    environ[environ_keys.RAW_PATH] = path
    environ["PATH_INFO"] = unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["REQUEST_METHOD"] = head.method
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.minor else "HTTP/1.0"


def _framing(head: RequestHead) -> None:
    length = head.environ.get("CONTENT_LENGTH")
    coding = head.environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None:
        if length is not None or coding.lower() != "chunked" or not head.minor:
            raise RequestHeadError(400, "unclear body")
        head.chunked = True
    elif length is not None:
        if CONTENT_LENGTH.fullmatch(length) is None:
            raise RequestHeadError(400, "malformed Content-Length")
        head.length = int(length)
        # Leading zeros are allowed; services get none, which another reader could take for an octal number.
        head.environ["CONTENT_LENGTH"] = str(head.length)


def check_partial_head(raw: bytes, max_line: int, max_head: int) -> None:
    """Raise RequestHeadError when the head that begins with `raw` can no longer become a valid one.

    So a client that waits for the answer to a malformed line gets it at once, not after the time limit of a head.
    """
    end = raw.find(b"\n")
    if end < 0:
        if len(raw) > max_line:
            raise RequestHeadError(414, "the request line is too long")
        if REQUEST_LINE_PREFIX.fullmatch(raw) is None:
            raise RequestHeadError(400, "malformed request line")
        return
    if end > max_line:
        raise RequestHeadError(414, "the request line is too long")
    if REQUEST_LINE.fullmatch(raw, 0, end) is None or BARE_LF.search(raw) is not None:
        raise RequestHeadError(400, "malformed head")
    if len(raw) > max_head:
        raise RequestHeadError(431, "the head is too long")


def method_and_path(raw: bytes) -> tuple[str, str]:
    """Return the method and the decoded path of a malformed head, as far as they can be read, for the error's form."""
    words = raw[:8192].split(b"\n", 1)[0].split()
    if len(words) < 2:
        return "", ""
    target = words[1].decode("latin-1")
    absolute = _ABSOLUTE.fullmatch(target)
    path = (absolute[2] if absolute else target).partition("?")[0]
    return words[0].decode("latin-1"), unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
