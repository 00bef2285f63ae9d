"""Run a service's worker as a program of its own: background tasks, bus, and pages for health and metrics."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from flask import Flask
from werkzeug.serving import make_server

from mft_common import logs
from mft_common.events import Bus
from mft_common.events.rabbit import RabbitBus
from mft_common.process import health, memory, metrics
from mft_common.process.background_tasks import BackgroundTask, run_tasks, stop_on_signals
from mft_common.settings import choice, from_env, setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a worker program, the same for every service."""

    amqp_url: str = setting("MFT_AMQP_URL", secret=True, doc="a worker of its own needs RabbitMQ")
    log_level: str = setting("MFT_LOG_LEVEL", choice("debug", "info", "warning", "error"), "info")
    listen: str = setting("MFT_WORKER_LISTEN", default="127.0.0.1:8009", doc="host:port of the health pages, or empty")


class Service(Protocol):
    """The part of a service's bootstrap that its worker uses."""

    @property
    def checks(self) -> Mapping[str, Callable[[], None]]:
        """The checks of readiness, by name."""
        ...

    def background_tasks(self, bus: Bus) -> list[BackgroundTask]:
        """Return the tasks that the worker runs."""
        ...

    def close(self) -> None:
        """Close databases and connections."""
        ...


def run_worker(name: str, build: Callable[[], Service], environ: Mapping[str, str]) -> int:
    """Run the worker of the service `name` until SIGTERM or SIGINT; return the process's exit code.

    SettingsError without a broker: a worker program has no other access to the events of other services.
    """
    settings = from_env(Settings, environ)
    logs.configure(name, settings.log_level)
    stop = threading.Event()
    stop_on_signals(stop)
    with ExitStack() as closing:
        service = build()
        closing.callback(service.close)
        bus = RabbitBus(settings.amqp_url)
        closing.callback(bus.close)
        if settings.listen:
            closing.callback(_serve_pages(settings.listen, {**service.checks, "broker": bus.check}))
        tasks = service.background_tasks(bus)
        memory.freeze_gc()
        run_tasks(tasks, stop)
    return 0


def _serve_pages(address: str, checks: health.Checks) -> Callable[[], None]:
    """Serve `/healthz`, `/readyz` and `/metrics` in a thread; return the function that stops it."""
    host, _, port = address.rpartition(":")
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(health.blueprint(checks))
    app.register_blueprint(metrics.blueprint())
    # werkzeug's server is enough: container health checks ask a few times a minute, on loopback.
    server = make_server(host, int(port), app, threaded=True)
    threading.Thread(target=server.serve_forever, name="pages", daemon=True).start()
    return server.shutdown
