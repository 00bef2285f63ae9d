"""gunicorn's thread worker, which says at once that it stops and does not wait for idle connections."""

from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from mft_common import health


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
