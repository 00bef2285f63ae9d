"""Run a web server whose answers a test writes itself, byte by byte where it wants to."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.servers.processes import free_port


class Request(http.server.BaseHTTPRequestHandler):
    """One request, and the ways to answer it; the connection is closed after each answer."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def __getattr__(self, name: str):
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        """Return the body as it came, without the framing of HTTP's own chunks; ConnectionError for a cut one."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            if len(body) != size:
                raise ConnectionError
            return body
        parts = []
        while size := int(self.rfile.readline().split(b";")[0] or b"no", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer with the length of the body; `_` in a header's name is written as `-`."""
        headers.setdefault("Content_Length", str(len(body)))
        self.raw(status, b"" if self.command == "HEAD" else body, **headers)

    def raw(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer with these headers and bytes alone, and close."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _answer(self) -> None:
        self.close_connection = True
        self.server.requests.append(self)
        self.server.respond(self)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], respond: Callable[[Request], None]) -> None:
        super().__init__(address, Request)
        self.respond = respond
        self.requests: list[Request] = []
        self.connections = 0

    def verify_request(self, *_: object) -> bool:
        """Count the connections."""
        self.connections += 1
        return True

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that went away is what many tests are about."""


class Web:
    """A server on loopback that calls `respond(request)` for each request, several at once."""

    def __init__(
        self, respond: Callable[[Request], None], tls: tuple[Path, Path] | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._server = _Server((host, free_port()), respond)
        self.port: int = self._server.server_address[1]
        self.scheme = "https" if tls else "http"
        self.url = f"{self.scheme}://{host}:{self.port}"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            # The handshake belongs to the request's own thread: one client must not keep the others waiting.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def requests(self) -> list[Request]:
        """Every request so far."""
        return self._server.requests

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._server.connections

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        with contextlib.suppress(OSError):
            self._server.server_close()
        self._thread.join(5)


def after_interim_answers(respond: Callable[[Request], None]) -> Callable[[Request], None]:
    """Return a respond that first sends two interim answers, as servers may to any request (RFC 9110, 15.2)."""

    def answered(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        respond(request)

    return answered
