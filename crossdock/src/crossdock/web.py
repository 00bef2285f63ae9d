"""Serve the hub's one application with gunicorn, from sockets that are bound already."""

import ctypes
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from crossdock.hub import Hub
from gateway.serving.limits import ServingLimits
from gateway.serving.options import gunicorn_options
from mft_common import settings
from mft_common.process import memory
from mft_common.process.gunicorn_logs import JsonLogger

_PR_SET_PDEATHSIG = 1


class _Application(BaseApplication):
    """gunicorn's application: the settings are handed over, and each process builds a hub of its own."""

    def __init__(self, options: Mapping[str, Any], build: Callable[[], Hub]) -> None:
        self._options = options
        self._build = build
        self._hub: Hub | None = None
        super().__init__()

    def load_config(self) -> None:
        """Take the options."""
        for name, value in {**self._options, "worker_exit": self._close}.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build this process's hub; called once in each web process."""
        self._hub = self._build()
        application = self._hub.application()
        memory.freeze_gc()
        return application

    def _close(self, _arbiter: Any, _worker: Any) -> None:
        """Commit what waits, at the end of a web process."""
        if self._hub is not None:
            self._hub.close()


def _post_fork(_arbiter: Any, _worker: Any) -> None:
    """Let the kernel kill a web process whose gunicorn was killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _ignore_the_terminal(_process: Any) -> None:
    """Leave a closed terminal to the process that watches: gunicorn would begin to exchange its children."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def serve(
    build: Callable[[], Hub],
    environ: Mapping[str, str],
    sockets: Sequence[socket.socket],
    *,
    workers: int,
    tls: tuple[Path, Path] | None,
) -> int:
    """Serve until SIGTERM. `sockets` is the plain one and, with `tls` (certificate, key), the one for HTTPS."""
    told = dict(environ)
    if tls is not None:
        told |= {"GATEWAY_HTTPS_PORT": str(sockets[1].getsockname()[1])}
        told |= {"MFT_TLS_CERT": str(tls[0]), "MFT_TLS_KEY": str(tls[1])}
    limits = settings.from_env(ServingLimits, told)
    # Their files are gunicorn's from here on.
    binds = [f"fd://{os.dup(one.fileno())}" for one in sockets]
    for one in sockets:
        one.close()
    options = gunicorn_options(bind=binds, workers=workers, limits=limits)
    options |= {"logger_class": JsonLogger, "post_fork": _post_fork}
    options |= {"when_ready": _ignore_the_terminal, "post_worker_init": _ignore_the_terminal}
    _Application(options, build).run()
    return 0
