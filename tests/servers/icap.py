"""Run an ICAP server in a thread whose answers a test scripts, broken ones among them."""

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

OPTIONS = {"Methods": "RESPMOD, REQMOD", "Preview": "1024", "Allow": "204", "ISTag": '"one"', "Options-TTL": "3600"}
CLEAN = b'ICAP/1.0 204 No Content\r\nISTag: "one"\r\nEncapsulated: null-body=0\r\n\r\n'
GO_ON = b"ICAP/1.0 100 Continue\r\n\r\n"


class Talk:
    """A request of a client: `head` is the ICAP head, `http` the HTTP heads that it encapsulates before the body."""

    def __init__(self, connection: socket.socket, stream: Any, head: str) -> None:
        self.connection = connection
        self._stream = stream
        self.head = head
        *_, size = re.findall(r"(?:req|res)-body=(\d+)", head)
        self.http = stream.read(int(size)).decode()
        self.whole = False

    def chunks(self) -> Iterator[bytes]:
        """Yield blocks up to the end of the preview or of the body; `whole` tells afterwards which it was."""
        self.whole = "\r\nPreview:" not in self.head or self.whole
        while line := self._stream.readline():
            size, _, extension = line.strip().partition(b";")
            if not int(size, 16):
                self._stream.readline()
                self.whole = self.whole or b"ieof" in extension
                return
            yield self._stream.read(int(size, 16))
            self._stream.readline()
        raise ConnectionError("the client went away")

    def body(self) -> bytes:
        """Return the whole content, asking for the rest after a preview."""
        content = b"".join(self.chunks())
        if not self.whole:
            self.send(GO_ON)
            self.whole = True
            content += b"".join(self.chunks())
        return content

    def send(self, data: bytes) -> None:
        """Send bytes without any framing."""
        self.connection.sendall(data)

    def reset(self) -> None:
        """Close the connection as a dying process does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stream.close()
        self.connection.close()


def given_back(content: bytes, http: str = "PUT /a HTTP/1.1\r\n\r\n", name: str = "req", **headers: str) -> bytes:
    """Return a 200 with a content; `http` is its HTTP head, `name` tells whether that is a request or a response."""
    more = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in headers.items())
    head = f"ICAP/1.0 200 OK\r\n{more}Encapsulated: {name}-hdr=0, {name}-body={len(http)}\r\n\r\n{http}"
    chunk = b"%x\r\n%s\r\n" % (len(content), content) if content else b""
    return head.encode() + chunk + b"0\r\n\r\n"


def page(**headers: str) -> bytes:
    """Return an answer in which a page of the scanner replaces the content."""
    return given_back(b"<h1>No</h1>", "HTTP/1.1 403 Forbidden\r\n\r\n", "res", **headers)


def clean(talk: Talk) -> None:
    """Read the whole content and report no virus."""
    talk.body()
    talk.send(CLEAN)


class IcapServer:
    """The server: `script` is called with each request, `options` are the headers of the answer to OPTIONS."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.script: Callable[[Talk], None] = clean
        self.options = dict(OPTIONS)
        self.options_status = "200 OK"
        self.asked: list[str] = []
        self.connections = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, service: str = "scan") -> str:
        """Return the URL of a service; every name is one."""
        return f"{'icaps' if self._tls else 'icap'}://127.0.0.1:{self.port}/{service}"

    def close(self) -> None:
        """Close everything that is open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close all connections."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self.connections += 1
            self._open.append(connection)
            with connection, connection.makefile("rb") as stream:
                while head := _head(stream):
                    self.asked.append(head.partition(" ")[0])
                    if head.startswith("OPTIONS"):
                        connection.sendall(self._told())
                    else:
                        self.script(Talk(connection, stream, head))

    def _told(self) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.options.items())
        return f"ICAP/1.0 {self.options_status}\r\n{lines}Encapsulated: null-body=0\r\n\r\n".encode()


def _head(stream: Any) -> str:
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line.decode())
    return "".join(lines)
