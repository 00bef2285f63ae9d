"""Stream requests to a service at a URL over kept-alive HTTP/1.1 connections, in constant memory."""

import ssl
from collections.abc import Collection, Iterable, Mapping
from http.client import responses
from typing import Any, Final
from urllib.parse import urlsplit
from wsgiref.types import StartResponse

from mft_common.http1.connection import BLOCK, Connection, Pool
from mft_common.http1.contract import RequestBody, RequestBodyError, UpstreamUnavailable
from mft_common.http1.request_writer import write_request_head
from mft_common.http1.response import NoResponse, ResponseBody, read_response_head
from mft_common.http1.response_head import MalformedResponse, ResponseHead

# Idempotent by the rules of HTTP (RFC 9110, 9.2.2): without a body they may be sent twice.
REPEATABLE: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
# How long to wait for the answer to `Expect: 100-continue` before the body is sent all the same.
_CONTINUE_WAIT_S: Final = 2.0
_SMALL: Final = 64 << 10


class UrlUpstream:
    """A service at `url` (`http://host:port`, optionally with a path that goes before every request's own).

    Times are seconds: `connect_timeout` for a connection, `idle_timeout` for each read and write, none for the whole.
    Only a request without a body, whose method is in `repeatable`, is sent again, where the service had closed the
    kept-alive connection that it was sent over. A protocol whose GET changes things has no repeatable method.
    """

    remote = True

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float = 5.0,
        idle_timeout: float = 300.0,
        keep_alive: float = 15.0,
        tls: ssl.SSLContext | None = None,
        repeatable: Collection[str] = REPEATABLE,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is no http or https URL of a service")
        if parts.scheme == "https" and tls is None:
            tls = ssl.create_default_context()
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._repeatable = frozenset(repeatable)
        self._base_path = parts.path.rstrip("/")
        self._pool = Pool(
            parts.hostname,
            port,
            connect_timeout=connect_timeout,
            idle_timeout=idle_timeout,
            keep_alive=keep_alive,
            tls=tls if parts.scheme == "https" else None,
        )

    def call(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """See Upstream."""
        request = write_request_head(environ, self._base_path)
        length = _length(environ)
        chunked = length is None and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        try:
            connection, answer, reuse = self._exchange(environ, request, length, chunked=chunked)
        except RequestBodyError:
            # The connection to the service is closed, so that it sees a body without an end.
            raise
        except (OSError, MalformedResponse) as error:
            raise UpstreamUnavailable(f"no response: {error}") from error
        head, rest = answer
        start_response(f"{head.status} {head.reason or responses.get(head.status, '')}".rstrip(), head.headers)
        if environ["REQUEST_METHOD"] == "HEAD" or head.status in (204, 304):
            self._done(connection, reuse=reuse and head.keep_alive and not rest)
            return ()
        if head.length is not None and len(rest) == head.length:
            self._done(connection, reuse=reuse and head.keep_alive)
            return (rest,)
        return ResponseBody(connection, self._pool, head, rest, reuse=reuse)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _done(self, connection: Connection, *, reuse: bool) -> None:
        if reuse:
            self._pool.release(connection)
        else:
            connection.close()

    def _exchange(
        self, environ: dict[str, Any], request: bytes, length: int | None, *, chunked: bool
    ) -> tuple[Connection, tuple[ResponseHead, bytes], bool]:
        bodiless = not length and not chunked
        repeatable = bodiless and environ["REQUEST_METHOD"] in self._repeatable
        connection = self._pool.acquire(check=not repeatable)
        try:
            if bodiless:
                # Some services tell Content-Length: 0 from no length at all.
                message = request + (b"\r\n" if length is None else b"Content-Length: 0\r\n\r\n")
                try:
                    connection.send(message)
                    return connection, read_response_head(connection), True
                except (NoResponse, ConnectionError):
                    if not connection.used or not repeatable:
                        raise
                connection.close()
                connection = self._pool.connect()
                connection.send(message)
                return connection, read_response_head(connection), True
            return connection, *self._with_body(connection, environ, request, length)
        except BaseException:
            connection.close()
            raise

    def _with_body(
        self, connection: Connection, environ: dict[str, Any], request: bytes, length: int | None
    ) -> tuple[tuple[ResponseHead, bytes], bool]:
        """Send head and body; return the response, and whether the whole body was sent."""
        body: RequestBody = environ["wsgi.input"]
        framing = b"Transfer-Encoding: chunked\r\n" if length is None else b"Content-Length: %d\r\n" % length
        if length is not None and length <= _SMALL and body.available >= length:
            connection.send(request + framing + b"\r\n" + body.read(length))
            return read_response_head(connection), True
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            connection.send(request + framing + b"Expect: 100-continue\r\n\r\n")
            if connection.wait_for_answer(_CONTINUE_WAIT_S):
                answer = read_response_head(connection, until_continue=True)
                if answer[0].status != 100:
                    return answer, False
        else:
            connection.send(request + framing + b"\r\n")
        try:
            whole = _send_body(connection, body, length)
        except ConnectionError:
            # The service may have answered and closed before the end of the body.
            whole = False
        return read_response_head(connection), whole


def _send_body(connection: Connection, body: RequestBody, length: int | None) -> bool:
    """Send the client's body; False as soon as the service answers before its end. Raises RequestBodyError."""
    left = length
    while left is None or left:
        # A service may answer early; then no more of the body is sent.
        if not body.ready_before(connection.fileno()):
            return False
        block = body.read1(BLOCK)
        if left is not None:
            left -= len(block)
        elif block:
            block = b"%x\r\n%b\r\n" % (len(block), block)
        else:
            return connection.send_unless_answered(b"0\r\n\r\n")
        if not connection.send_unless_answered(block):
            return False
    return True


def _length(environ: Mapping[str, Any]) -> int | None:
    text = environ.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() else None
