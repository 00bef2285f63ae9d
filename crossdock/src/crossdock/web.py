"""Serve the hub's one application with gunicorn, from sockets that are bound already."""

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

from gunicorn.app.base import BaseApplication

from crossdock.hub import Hub
from crossdock.listeners import Listeners
from gateway.serving.limits import ServingLimits
from gateway.serving.options import gunicorn_options
from mft_common import settings
from mft_common.process import memory
from mft_common.process.gunicorn_logs import JsonLogger
from mft_common.process.parent_death import die_with_parent

# What gunicorn needs beyond its own limit to end its workers.
_MARGIN_S: Final = 5.0


class _Application(BaseApplication):
    """gunicorn's application: takes its settings as a mapping, and builds one hub in each web process."""

    def __init__(self, options: Mapping[str, Any], build: Callable[[], Hub]) -> None:
        self._options = options
        self._build = build
        self._hub: Hub | None = None
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options."""
        for name, value in {**self._options, "worker_exit": self._close}.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the hub of this web process, which calls this once."""
        self._hub = self._build()
        application = self._hub.application()
        memory.freeze_gc()
        return application

    def _close(self, _arbiter: Any, _worker: Any) -> None:
        """Commit the records that wait and close the databases, at the end of a web process."""
        if self._hub is not None:
            self._hub.close()


def _post_fork(_arbiter: Any, _worker: Any) -> None:
    """Ask the kernel to kill this web process when gunicorn's master process is killed."""
    die_with_parent()


def _ignore_hangup(_process: Any) -> None:
    """Leave SIGHUP to the supervisor: gunicorn would replace its workers when the terminal is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def stop_time(environ: Mapping[str, str]) -> float:
    """Return the longest time in seconds that the web process may take to end after SIGTERM."""
    limits = settings.from_env(ServingLimits, environ)
    return float(gunicorn_options(bind=(), workers=1, limits=limits)["graceful_timeout"]) + _MARGIN_S


def serve(build: Callable[[], Hub], environ: Mapping[str, str], listeners: Listeners, *, workers: int) -> int:
    """Serve until SIGTERM, with so many processes."""
    given = dict(environ)
    if listeners.tls is not None:
        certificate, key = listeners.tls
        given |= {"GATEWAY_HTTPS_PORT": str(listeners.ports[1])}
        given |= {"MFT_TLS_CERT": str(certificate), "MFT_TLS_KEY": str(key)}
    limits = settings.from_env(ServingLimits, given)
    # gunicorn owns the duplicates from here on.
    binds = [f"fd://{os.dup(listener.fileno())}" for listener in listeners.sockets]
    listeners.close()
    options = gunicorn_options(bind=binds, workers=workers, limits=limits)
    options |= {"logger_class": JsonLogger, "post_fork": _post_fork}
    options |= {"when_ready": _ignore_hangup, "post_worker_init": _ignore_hangup}
    _Application(options, build).run()
    return 0
