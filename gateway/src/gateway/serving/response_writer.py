"""Write one response to one client, framed so that an incomplete one can never be taken for complete."""

import io
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from gateway.serving.body import Body
from gateway.serving.channel import BLOCK, Channel

SERVER: Final = "crossdock"
_OWN: Final = frozenset(("connection", "keep-alive", "transfer-encoding", "date", "server"))
_BAD: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_date: tuple[int, str] = (0, "")


class ShortResponseError(Exception):
    """The application sent fewer bytes than its Content-Length says."""


class FileWrapper:
    """`wsgi.file_wrapper`: a file that the kernel sends from the disk to the socket where it can."""

    def __init__(self, filelike: Any, blksize: int = BLOCK) -> None:
        self.filelike = filelike
        self.blksize = max(blksize, BLOCK)
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        if block := self.filelike.read(self.blksize):
            return cast("bytes", block)
        raise StopIteration


class ResponseWriter:
    """Writes the response to one request: `start_response` is WSGI's, `send` takes the application's result.

    `servers_own` is for the response to a request that the server itself rejects.
    """

    def __init__(
        self, channel: Channel, body: Body, method: str, minor: int, *, keep_alive: bool, servers_own: bool = False
    ) -> None:
        self.headers_sent = False
        self.keep_alive = keep_alive
        self.code = 0
        self.sent = 0
        self._channel = channel
        self._body = body
        self._minor = minor
        self._bodiless = method == "HEAD"
        self._servers_own = servers_own
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._length: int | None = None
        self._chunked = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        """Set status and headers; with `exc_info` a second call replaces the first, while nothing was sent."""
        if self._status and exc_info is None:
            raise RuntimeError("start_response was called twice")
        if exc_info is not None and self.headers_sent:
            raise exc_info[1].with_traceback(exc_info[2])
        self._status = status
        self._headers = headers
        self.code = int(status[:3])
        return self.write

    def send(self, result: Iterable[bytes]) -> None:
        """Send the application's result to its end."""
        if isinstance(result, FileWrapper) and self._send_file(result):
            return
        if isinstance(result, list | tuple):
            block = result[0] if len(result) == 1 else b"".join(result)
            self._begin(block, whole=len(block))
            return
        for block in result:
            if block:
                self.write(block)
        if not self.headers_sent:
            self._begin(b"", whole=0)
        elif self._chunked:
            self._channel.send(b"0\r\n\r\n")
        self._check_length()

    def write(self, block: bytes) -> None:
        """Send a block of the body."""
        if not self.headers_sent:
            self._begin(block)
            return
        if self._bodiless or not block:
            return
        block = self._within_length(block)
        if self._chunked:
            self._channel.send_parts(b"%x\r\n" % len(block), block, b"\r\n")
        else:
            self._channel.send(block)
        self.sent += len(block)

    def _begin(self, block: bytes, whole: int | None = None) -> None:
        """Send the head together with the first block; `whole` is the size of a body of which that is all."""
        head = self._head(whole)
        self.headers_sent = True
        if self._bodiless:
            self._channel.send(head)
            return
        block = self._within_length(block)
        if not self._chunked:
            self._channel.send_parts(head, block)
        elif block:
            self._channel.send_parts(head, b"%x\r\n" % len(block), block, b"\r\n")
        else:
            self._channel.send(head)
        self.sent += len(block)
        if whole is not None:
            self._check_length()

    def _head(self, whole: int | None) -> bytes:
        if not self._status:
            raise RuntimeError("the application returned without calling start_response")
        self._check_body()
        lines = [f"HTTP/1.1 {self._status}", f"Server: {SERVER}", f"Date: {_http_date()}"]
        for name, value in self._headers:
            lower = name.lower()
            if lower not in _OWN:
                lines.append(f"{name}: {value}")
                if lower == "content-length":
                    self._length = int(value)
            elif lower == "connection" and "close" in value.lower():
                self.keep_alive = False
        lines += self._framing(whole)
        # A request body that was not read is still on its way, and would be taken for the next request.
        self.keep_alive = self.keep_alive and self._body.exhausted
        if not self.keep_alive:
            lines.append("Connection: close")
        elif not self._minor:
            lines.append("Connection: keep-alive")
        text = "\r\n".join(lines)
        if _BAD.search(text.replace("\r\n", "")) or text.count("\n") != len(lines) - 1:
            raise ValueError("a header of the response holds a control character")
        return f"{text}\r\n\r\n".encode("latin-1")

    def _check_body(self) -> None:
        """Raise the error of the request's body, if any, unless the application rejects the request for it itself.

        Any other response was made from a part of the body.
        """
        error = self._body.error
        if error is not None and not self._servers_own and self.code != error.status:
            raise error

    def _framing(self, whole: int | None) -> list[str]:
        """Choose how the end of the body is marked, and return the fields for it."""
        if self._bodiless or self.code in (204, 304) or self.code < 200:
            self._bodiless = True
            return []
        if self._length is not None:
            return []
        if whole is not None:
            self._length = whole
            return [f"Content-Length: {whole}"]
        if self._minor:
            self._chunked = True
            return ["Transfer-Encoding: chunked"]
        # For a client of HTTP/1.0 the end of the connection is the end of the body.
        self.keep_alive = False
        return []

    def _within_length(self, block: bytes) -> bytes:
        return block if self._length is None else block[: self._length - self.sent]

    def _check_length(self) -> None:
        if self._length is not None and self.sent != self._length and not self._bodiless:
            raise ShortResponseError(f"{self.sent} of {self._length} bytes")

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """Let the kernel send a file; False when it must be read and sent like any other iterable."""
        if self._channel.tls:
            return False
        try:
            fd = wrapper.filelike.fileno()
            offset = os.lseek(fd, 0, os.SEEK_CUR) if not hasattr(wrapper.filelike, "tell") else wrapper.filelike.tell()
            size = os.fstat(fd).st_size - offset
        except (AttributeError, OSError, io.UnsupportedOperation):
            return False
        head = self._head(size)
        self.headers_sent = True
        if self._bodiless:
            self._channel.send(head)
            return True
        count = size if self._length is None else self._length
        self._channel.send(head)
        if not self._channel.send_file(fd, offset, count):
            raise ShortResponseError("the file ended early")
        self.sent = count
        return True


def _http_date() -> str:
    global _date  # noqa: PLW0603 -- formatted once a second for all threads
    now = int(time.time())
    if _date[0] != now:
        moment = time.gmtime(now)
        day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.tm_wday]
        month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.tm_mon - 1]
        text = f"{day}, {moment.tm_mday:02d} {month} {moment.tm_year} "
        _date = (now, f"{text}{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d} GMT")
    return _date[1]
