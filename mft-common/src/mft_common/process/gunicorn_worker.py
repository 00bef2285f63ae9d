"""gunicorn's thread worker as services need it: in draining, in asking for bodies, and in bodies that are cut short."""

import errno
from typing import Any, Final

from gunicorn.http.body import LengthReader
from gunicorn.workers.gthread import ThreadWorker

from mft_common.http1 import RequestBodyError
from mft_common.process import health

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Worker(ThreadWorker):
    """Serves a service; the connections that its gateway keeps open do not hold up the end of the process."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Handle SIGTERM: readiness is off from here on, and requests at work finish."""
        health.DRAINING.begin()
        super().handle_exit(sig, frame)

    def murder_keepalived(self) -> None:
        """Close connections that were idle for too long, and every idle one once the process is to end."""
        if not self.alive:
            for connection in self.keepalived_conns:
                connection.timeout = 0.0
        super().murder_keepalived()

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Call the application with a body that is never taken for whole where it is not.

        gunicorn itself asks for a body (`Expect: 100-continue`) before the application is called, and lets one that is
        cut short read as a short stream. A client whose body was never asked for will not send it, so its connection
        cannot be kept.
        """
        if isinstance(req.body.reader, LengthReader):
            req.body.reader = _WholeLength(req.body)
        if not req._expected_100_continue:  # noqa: SLF001 -- gunicorn offers no other way
            return bool(super().handle_request(req, conn))
        req._expected_100_continue = False  # noqa: SLF001 -- as above
        req.body = invited = _Invited(req.body, conn.sock)
        return bool(super().handle_request(req, conn)) and invited.sent


class _BodyCutError(RequestBodyError):
    """The body is shorter than its declared length; gunicorn reads the number as a client that went away."""

    def __init__(self, missing: int, partial: bytes) -> None:
        super().__init__(400, f"{missing} bytes of the body are missing", partial)
        self.errno = errno.ECONNRESET


class _WholeLength:
    """gunicorn's reader of a body with a declared length, which raises where the body is shorter."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self._reader: LengthReader = body.reader
        self._missing = 0

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end. Raises _BodyCutError."""
        wanted = min(size, self._reader.length)
        block: bytes = b"" if self._missing else self._reader.read(size)
        self._missing = self._missing or wanted - len(block)
        if self._missing:
            # The body collects blocks of this reader until it has as many bytes as the application asked for.
            raise _BodyCutError(self._missing, self._body.buf.getvalue() + block)
        return block


class _Invited:
    """A body that the first attempt to read it asks the client for."""

    def __init__(self, body: Any, sock: Any) -> None:
        self._body = body
        self._sock = sock
        self.sent = False

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the body, all of which are for reading."""
        self._invite()
        return getattr(self._body, name)

    def __iter__(self) -> Any:
        self._invite()
        return iter(self._body)

    def _invite(self) -> None:
        if not self.sent:
            self.sent = True
            self._sock.sendall(_CONTINUE)
