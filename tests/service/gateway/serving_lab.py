"""A server in this process, and clients that send raw bytes, for the tests of serving and proxying."""

import contextlib
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from gateway.error_responses import server_error_response
from gateway.serving.connection_manager import ConnectionManager
from gateway.serving.exchange import ServerApplication
from gateway.serving.limits import ServingLimits

WAIT_S = 60.0


class Lab:
    """A running server on a port of its own."""

    def __init__(self, app: Any, limits: ServingLimits, tls: ssl.SSLContext | None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        if tls is not None:
            limits = ServingLimits(**{**vars(limits), "https_port": self.port})
        self.draining = False
        application = ServerApplication(app, server_error_response, lambda: self.draining)
        self.connection_manager = ConnectionManager([self.listener], application, limits, tls)
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def _tick(self) -> None:
        while not self._stop.wait(0.05):
            self.connection_manager.tick()

    def start(self) -> None:
        """Begin to serve."""
        self.connection_manager.start()
        self._ticker.start()

    def close(self) -> None:
        """Stop, and cut the open connections."""
        self._stop.set()
        self._ticker.join()
        self.connection_manager.stop_accepting()
        self.connection_manager.close()


@contextlib.contextmanager
def serving(app: Any, *, tls: ssl.SSLContext | None = None, **limits: Any) -> Iterator[Lab]:
    """Serve a WSGI application."""
    lab = Lab(app, ServingLimits(**limits), tls)
    lab.start()
    try:
        yield lab
    finally:
        lab.close()


def connect(port: int) -> socket.socket:
    """Return a connection to a server of this machine."""
    sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_all(sock: socket.socket) -> bytes:
    """Read to the end; a reset counts as one."""
    blocks = io.BytesIO()
    with contextlib.suppress(ConnectionError):
        while block := sock.recv(1 << 16):
            blocks.write(block)
    return blocks.getvalue()


def talk(port: int, raw: bytes) -> bytes:
    """Send bytes and return everything up to the end of the connection."""
    with connect(port) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(raw)
        return read_all(sock)


def read_answer(sock: socket.socket) -> tuple[bytes, bytes]:
    """Read one answer with a Content-Length from a kept connection: its head and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = sock.recv(1 << 16)
        assert block, data
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        block = sock.recv(1 << 16)
        assert block, data
        body += block
    return head, body


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until `condition()` is true and return what it gave."""
    deadline = time.monotonic() + WAIT_S
    pause = threading.Event()
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        pause.wait(0.01)
    raise AssertionError(f"not within {WAIT_S} s: {what}")


@contextlib.contextmanager
def raw_service(script: Callable[[socket.socket, int], None]) -> Iterator[int]:
    """Run `script(connection, its number)` for each connection to a port; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def run(sock: socket.socket, number: int) -> None:
        with sock, contextlib.suppress(OSError):
            sock.settimeout(WAIT_S)
            script(sock, number)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                thread = threading.Thread(target=run, args=(sock, len(threads)), daemon=True)
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(WAIT_S)
        for thread in threads:
            thread.join(WAIT_S)


def read_head(sock: socket.socket) -> bytes:
    """Read a request head and the bytes that came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = sock.recv(1 << 16)
        if not block:
            break
        data += block
    return data
