"""Send one HTTP request, and read the begin of the answer, within a deadline."""

import contextlib
import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import requests

from mft_common.exchanges.deadline import Deadline
from mft_common.exchanges.errors import NoAnswer
from mft_common.final_answers import FinalAnswer

# Decides by the address that was found for a host's name, and the port, whether a connection may be made.
Permit = Callable[[str, int], bool]
_HTTPS: Final = "https"
_LATE: Final = "the answer took too long"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to an `http:` or `https:` URL, which is not shown, nor are its headers: both may hold secrets.

    `ca` is the path of a PEM file with the only authorities that are trusted; "" for those of the system.
    """

    url: str = field(repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    ca: str = ""


@dataclass(frozen=True)
class Answer:
    """The status of an answer, and the first bytes of its body as far as they were asked for."""

    status: int
    body: bytes = b""


def send(request: Request, *, within: float, idle: float, permit: Permit | None = None, keep: int = 0) -> Answer:
    """Send a request and return the answer, of whose body `keep` bytes are read; NoAnswer.

    `within` is the limit in seconds of the whole exchange, from the look-up of the host's name to the last byte that
    is read; `idle` is that of each read. The name is looked up once, and the connection is made to an address that was
    found then; AddressRefused where `permit` refuses one of these. Redirects are not followed, and proxies and
    passwords of the environment are not used.
    """
    try:
        with (
            Deadline(within) as deadline,
            contextlib.closing(_Connection(request, deadline, idle, permit)) as connection,
        ):
            connection.request(request.method, _target(request.url), request.body, dict(request.headers))
            response = connection.getresponse()
            answer = Answer(response.status, response.read(keep) if keep else b"")
    except (http.client.HTTPException, OSError, ValueError) as error:
        if deadline.is_over and not isinstance(error, TimeoutError):
            raise NoAnswer(_LATE) from None
        # The texts of these errors name the host.
        raise NoAnswer(f"the request failed ({_cause_of(error)})") from None
    if deadline.is_over:
        # What was read ends where the socket was shut down.
        raise NoAnswer(_LATE)
    return answer


class _Connection(http.client.HTTPConnection):
    """A connection to a server that the deadline covers from the look-up of its name on."""

    response_class = FinalAnswer

    def __init__(self, request: Request, deadline: Deadline, idle: float, permit: Permit | None) -> None:
        parts = urlsplit(request.url)
        if parts.hostname is None:
            raise ValueError("the URL names no host")
        self._deadline = deadline
        self._idle = idle
        self._permit = permit
        self._tls = ssl.create_default_context(cafile=request.ca or None) if parts.scheme == _HTTPS else None
        # The header `Host` names the port where it is not this one.
        self.default_port = http.client.HTTP_PORT if self._tls is None else http.client.HTTPS_PORT
        # The port is always given: http.client would look for one behind the last colon of an IPv6 address.
        super().__init__(parts.hostname, parts.port or self.default_port, timeout=idle)

    def connect(self) -> None:
        """Connect, and verify the server's certificate where the URL is of https."""
        self.sock = self._deadline.connect(self.host, self.port, self._idle, self._permit)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def _target(url: str) -> str:
    parts = urlsplit(requests.utils.requote_uri(url))
    return urlunsplit(("", "", parts.path or "/", parts.query, ""))


def _cause_of(error: BaseException) -> str:
    """Return the types of an error and of its innermost cause."""
    inner = error
    while (cause := inner.__cause__ or inner.__context__) is not None:
        inner = cause
    names = dict.fromkeys((type(error).__name__, type(inner).__name__))
    return ": ".join(names)
