"""gunicorn's thread worker, which says at once that it stops, and asks for a body only when it is wanted."""

from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

from mft_common.process import health

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Worker(ThreadWorker):
    """Serves a service behind the gateway, whose kept connections would otherwise hold up every stop."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: readiness is off from here on, requests at work finish."""
        health.DRAINING.begin()
        super().handle_exit(sig, frame)

    def murder_keepalived(self) -> None:
        """Close connections that were idle for too long; when this process stops, all that are idle."""
        if not self.alive:
            for connection in self.keepalived_conns:
                connection.timeout = 0.0
        super().murder_keepalived()

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Let `Expect: 100-continue` wait for the application; gunicorn itself asks for the body before it is called.

        A client whose body nobody asked for will not send it, so the connection is of no more use then.
        """
        if not req._expected_100_continue:  # noqa: SLF001 -- gunicorn offers no other way
            return bool(super().handle_request(req, conn))
        req._expected_100_continue = False  # noqa: SLF001 -- as above
        req.body = invited = _Invited(req.body, conn.sock)
        return bool(super().handle_request(req, conn)) and invited.sent


class _Invited:
    """A body that is asked for by the first attempt to read it."""

    def __init__(self, body: Any, sock: Any) -> None:
        self._body = body
        self._sock = sock
        self.sent = False

    def __getattr__(self, name: str) -> Any:
        """Return what the body has of that name: all of it reads."""
        self._invite()
        return getattr(self._body, name)

    def __iter__(self) -> Any:
        self._invite()
        return iter(self._body)

    def _invite(self) -> None:
        if not self.sent:
            self.sent = True
            self._sock.sendall(_CONTINUE)
