"""Let `requests` call a WSGI application of this process, streaming both ways in constant memory."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import responses
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.types import WSGIApplication

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse


class _Blocks(io.RawIOBase):
    """A readable file over an iterable of bytes; it holds one block at a time."""

    def __init__(self, blocks: Iterable[bytes], close: Callable[[], None] | None = None) -> None:
        self._blocks: Iterator[bytes] = iter(blocks)
        self._close = close
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        if not self.closed and self._close is not None:
            self._close()
        super().close()


class WsgiAdapter(BaseAdapter):
    """Answers the requests of a session by calling `application` in the caller's thread.

    The items of `environ()`, such as the caller's identity, are added to each request's environment. Mount the adapter
    on a base URL: `session.mount("http://filestore-svc", WsgiAdapter(app))`. An error of the body's iterator is raised
    by `wsgi.input` in the application, and reaches the caller of `requests` if the application does not catch it.
    """

    def __init__(
        self,
        application: WSGIApplication,
        environ: Callable[[], Mapping[str, Any]] = dict,
        *,
        address: str = "127.0.0.1",
    ) -> None:
        super().__init__()
        self._application = application
        self._environ = environ
        self._address = address

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        """Call the application and return once it has sent its head; the body is streamed to the caller."""
        head: list[tuple[str, list[tuple[str, str]]]] = []
        early: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], Any]:
            head.append((status, headers))
            return early.append

        answer = self._application(self._environment(request), start_response)
        rest = iter(answer)
        while not head:
            # An application may call start_response as late as with its first block.
            early.append(next(rest))
        status, headers = head[-1]

        def blocks() -> Iterator[bytes]:
            yield from early
            yield from rest

        code = int(status.split(" ", 1)[0])
        body = HTTPResponse(
            body=io.BufferedReader(_Blocks(blocks(), getattr(answer, "close", None)), 1 << 16),
            headers=HTTPHeaderDict(headers),
            status=code,
            reason=status.partition(" ")[2] or responses.get(code, ""),
            request_method=request.method,
            preload_content=False,
            decode_content=False,
        )
        return HTTPAdapter().build_response(request, body)

    def close(self) -> None:
        """Do nothing: no connection is kept."""

    def _environment(self, request: requests.PreparedRequest) -> dict[str, Any]:
        url = urlsplit(request.url or "")
        body = request.body
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
            "RAW_URI": url.path + (f"?{url.query}" if url.query else ""),
            "QUERY_STRING": url.query,
            "SERVER_NAME": url.hostname or "",
            "SERVER_PORT": str(url.port or 80),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self._address,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": url.scheme,
            "wsgi.input": _input(body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        for name, value in {"Host": url.netloc, **request.headers}.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        return {**environ, **self._environ()}


def _input(body: Any) -> Any:
    if body is None:
        return io.BytesIO()
    if isinstance(body, str | bytes):
        return io.BytesIO(body.encode() if isinstance(body, str) else body)
    if hasattr(body, "read"):
        return body
    return io.BufferedReader(_Blocks(body), 1 << 16)
