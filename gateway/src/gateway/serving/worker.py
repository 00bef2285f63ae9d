"""The gunicorn worker of the gateway: gunicorn keeps processes, sockets and signals, ConnectionManager the clients."""

import os
import resource
import select
import ssl
import time
from typing import Any, ClassVar

from gunicorn.workers.base import Worker as BaseWorker

from gateway import error_responses
from gateway.serving.connection_manager import ConnectionManager
from gateway.serving.exchange import ServerApplication
from gateway.serving.limits import ServingLimits
from gateway.serving.scoreboard import Scoreboard
from mft_common.process import metrics
from mft_common.process.health import DRAINING

_TICK_S = 0.5
# During a drain, a client that has connected but sent nothing yet has this long to send its request.
_LAST_REQUEST_S = 0.5
# After SIGINT, requests in progress have this long to finish.
_QUICK_DRAIN_S = 5.0


class Worker(BaseWorker):
    """Serves gunicorn's application with `limits`; `options.gunicorn_options` sets them on a subclass."""

    limits: ClassVar[ServingLimits] = ServingLimits()
    scoreboard: ClassVar[Scoreboard]

    def init_process(self) -> None:
        """Begin to serve; returns when the process is to end."""
        self._stopping = False
        _raise_file_limit()
        super().init_process()

    def handle_exit(self, _signal: int, _frame: Any) -> None:
        """Handle SIGTERM: begin to drain. The signal also wakes the main loop, which acts on the flag."""
        self._stopping = True

    def handle_quit(self, _signal: int, _frame: Any) -> None:
        """Handle SIGINT and SIGQUIT: stop without a grace time."""
        self._stopping = True
        self.alive = False

    def run(self) -> None:
        """Serve until told to stop, then drain."""
        limits = self.limits
        application = ServerApplication(self.wsgi, error_responses.server_error_response, lambda: self._stopping)
        slot = self.scoreboard.slot(self.age)
        sockets = [each.sock for each in self.sockets]
        connections = ConnectionManager(sockets, application, limits, _tls_context(limits), slot)
        connections.start()
        while self.alive and not self._stopping and self.ppid == os.getppid():
            self._wait(connections)
        DRAINING.begin()
        grace_until = time.monotonic() + limits.grace
        while self.alive and time.monotonic() < grace_until:
            self._wait(connections)
        connections.stop_accepting()
        stop_at = time.monotonic() + (limits.drain if self.alive else min(limits.drain, _QUICK_DRAIN_S))
        while connections.close_idle(_LAST_REQUEST_S if self.alive else 0.0) and time.monotonic() < stop_at:
            self._wait(connections, 0.05)
        connections.close()

    def _wait(self, connections: ConnectionManager, seconds: float = _TICK_S) -> None:
        """Wait for a signal or for `seconds`, then tick."""
        self.notify()
        poll = select.poll()
        poll.register(self.PIPE[0], select.POLLIN)
        if poll.poll(seconds * 1000):
            os.read(self.PIPE[0], 4096)
        connections.tick()


def child_exit(_server: Any, worker: Any) -> None:
    """Release the slot and the metrics of a process that has ended; gunicorn calls it in the parent."""
    worker.scoreboard.slot(worker.age).release()
    metrics.forget_process(worker.pid)


def _tls_context(limits: ServingLimits) -> ssl.SSLContext | None:
    if limits.https_port is None:
        return None
    if limits.tls_cert is None:
        raise ValueError("an https port needs a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(limits.tls_cert, limits.tls_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _raise_file_limit() -> None:
    """Raise the limit of open files as far as the system allows: each connection needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
