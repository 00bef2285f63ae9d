"""The gunicorn worker: gunicorn keeps the processes and signals, `Reception` the clients."""

import os
import resource
import select
import ssl
import time
from typing import Any, ClassVar

from gunicorn.workers.gthread import ThreadWorker

from gateway import error_responses
from gateway.serving.crowd import Crowd
from gateway.serving.exchange import Site
from gateway.serving.limits import ServingLimits
from gateway.serving.reception import Reception
from mft_common.process import metrics
from mft_common.process.health import DRAINING

_TICK_S = 0.5
# A client that has connected but sent nothing yet gets this long to send its request while we stop.
_LAST_CALL_S = 0.5
# Whoever presses Ctrl-C waits no longer than this for requests at work.
_QUICK_DRAIN_S = 5.0


class Worker(ThreadWorker):
    """Serves the application of `gunicorn` with `limits`; `options.gunicorn_options` sets them on a subclass."""

    limits: ClassVar[ServingLimits] = ServingLimits()
    crowd: ClassVar[Crowd]

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Accept any number of threads: ours come and go."""

    def init_process(self) -> None:
        """Begin to serve; returns when the process is to end."""
        self._told_to_stop = False
        _raise_file_limit()
        # ThreadWorker would make its own pool and poller here.
        super(ThreadWorker, self).init_process()

    def handle_exit(self, _signal: int, _frame: Any) -> None:
        """SIGTERM: begin to drain. Only a flag is set here; the main loop, which the signal wakes, does the rest."""
        self._told_to_stop = True

    def handle_quit(self, _signal: int, _frame: Any) -> None:
        """SIGINT, SIGQUIT: stop without a grace time."""
        self._told_to_stop = True
        self.alive = False

    def run(self) -> None:
        """Serve until told to stop, then drain."""
        limits = self.limits
        site = Site(self.wsgi, error_responses.server_error_response, lambda: self._told_to_stop)
        seat = self.crowd.seat(self.age)
        reception = Reception([each.sock for each in self.sockets], site, limits, _tls_context(limits), seat)
        reception.start()
        while self.alive and not self._told_to_stop:
            self._turn(reception)
            if not self.is_parent_alive():
                break
        DRAINING.begin()
        grace_until = time.monotonic() + limits.grace
        while self.alive and time.monotonic() < grace_until:
            self._turn(reception)
        reception.stop_accepting()
        stop_at = time.monotonic() + (limits.drain if self.alive else min(limits.drain, _QUICK_DRAIN_S))
        while reception.leave_idle(_LAST_CALL_S if self.alive else 0.0) and time.monotonic() < stop_at:
            self._turn(reception, 0.05)
        reception.close()

    def _turn(self, reception: Reception, seconds: float = _TICK_S) -> None:
        """Wait for a signal or a tick."""
        self.notify()
        poll = select.poll()
        poll.register(self.PIPE[0], select.POLLIN)
        if poll.poll(seconds * 1000):
            os.read(self.PIPE[0], 4096)
        reception.tick()


def ended(_server: Any, worker: Any) -> None:
    """Free what a process that has ended held: gunicorn's `child_exit`."""
    worker.crowd.seat(worker.age).leave()
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
    """Take as many descriptors as the system gives: a connection costs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
