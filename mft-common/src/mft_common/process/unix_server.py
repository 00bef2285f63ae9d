"""Serve a WSGI application on a Unix socket, for the other processes of this hub on this machine."""

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Any, Final, Self
from wsgiref.types import WSGIApplication

from werkzeug.exceptions import ClientDisconnected
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wsgi import get_input_stream

from mft_common import unix_sockets

_BACKLOG: Final = 512
_DRAIN: Final = 1 << 20


class _Handler(WSGIRequestHandler):
    """Answers one request a connection; the application logs what it wants to."""

    def make_environ(self) -> dict[str, Any]:
        """Return the environment, with a body that ends where the request does."""
        environ = super().make_environ()
        environ["wsgi.input"] = self._body = get_input_stream(environ, safe_fallback=True)
        environ["wsgi.input_terminated"] = True
        return environ

    def run_wsgi(self) -> None:
        """Answer; then read the rest of the body: a close before its end would take the answer from the client."""
        super().run_wsgi()
        # A client that died in the middle of its body is no error of ours: its connection is closed next.
        with contextlib.suppress(ClientDisconnected, OSError):
            while self._body.read(_DRAIN):
                pass

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


class UnixServer:
    """Serves `application` at `path`, for processes of the same user alone; a thread answers each connection."""

    def __init__(self, path: Path, application: WSGIApplication) -> None:
        self._path = path
        self._listener = self._listen()
        self._server: BaseWSGIServer = make_server(
            "unix:///", 0, application, threaded=True, request_handler=_Handler, fd=self._listener.fileno()
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="unix-server", daemon=True)

    def _listen(self) -> socket.socket:
        """Bind beside the path and rename, so that a socket that a killed process left behind is replaced at once."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f"{self._path.name}.new")
        beside.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            with unix_sockets.address_of(beside) as address:
                listener.bind(address)
            beside.chmod(0o600)
            listener.listen(_BACKLOG)
            # While this descriptor is open, no later socket gets the same inode number.
            self._place = os.open(beside, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            beside.rename(self._path)
        except BaseException:
            listener.close()
            raise
        return listener

    def start(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving; requests that run already are not waited for. The socket of a successor stays."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self._path.lstat(), os.fstat(self._place)):
                self._path.unlink()
        os.close(self._place)
