"""Wire the gateway and the four services into one process group that needs no network between them."""

import contextlib
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from wsgiref.types import WSGIApplication

import diplomat_svc.app
import diplomat_svc.bootstrap
import diplomat_svc.settings
import filestore_svc.app
import filestore_svc.bootstrap
import filestore_svc.settings
import gateway.app
import gateway.bootstrap
import gateway.settings
import mqmft_svc.app
import mqmft_svc.bootstrap
import mqmft_svc.settings
import sertainty_svc.app
import sertainty_svc.bootstrap
import sertainty_svc.settings
from crossdock.applied import AppliedFile, AppliedService, Closeable
from mft_common.config import Reader
from mft_common.directory import Directory
from mft_common.events import Bus, LocalBus
from mft_common.events.rabbit import RabbitBus
from mft_common.http1 import Upstream, WsgiUpstream
from mft_common.process import health
from mft_common.process.background_tasks import BackgroundTask
from mft_common.process.runner import Runner
from mft_common.settings import lookup

# Every service by its name; filestore-svc first, because others call its application.
PACKAGES: Final[Mapping[str, Any]] = {
    "filestore-svc": filestore_svc,
    "diplomat-svc": diplomat_svc,
    "mqmft-svc": mqmft_svc,
    "sertainty-svc": sertainty_svc,
}
# The services whose workers run work in children.
_WITH_CHILDREN: Final = ("diplomat-svc", "mqmft-svc", "sertainty-svc")


@dataclass
class Hub:
    """Gateway and services of one process, each with its database open."""

    gateway: gateway.bootstrap.Service
    services: Mapping[str, Any]
    environ: Mapping[str, str]
    closing: Sequence[Closeable] = ()
    # filestore-svc as jobs call it, in a process that runs them.
    filestore: WSGIApplication | None = None

    @functools.cached_property
    def upstreams(self) -> Mapping[str, Upstream]:
        """Return each service's application as the gateway calls it."""
        return {name: WsgiUpstream(PACKAGES[name].app.create_app(self.services[name])) for name in self.services}

    def application(self) -> Any:
        """Return the application of the web processes: the gateway's pipeline, with the services behind it.

        Readiness asks for all of them: the hub is ready when every service is, and its worker has recovered. The disk
        is asked first: while it is full, other checks fail for its sake.
        """
        checks = {"disk": health.disk_space(Path(self.environ["MFT_DATA"])), **self.gateway.checks}
        for name, made in self.services.items():
            checks |= {f"{name} {check}": ask for check, ask in made.checks.items()}
        return gateway.app.create_app(dataclasses.replace(self.gateway, checks=checks), upstreams=self.upstreams)

    def bus(self) -> Bus:
        """Return the event bus: RabbitMQ where the environment names one, else the outbox tables themselves."""
        if amqp_url := lookup("MFT_AMQP_URL", self.environ):
            return RabbitBus(amqp_url)
        producers = {"gateway": self.gateway.database, **{name: made.database for name, made in self.services.items()}}
        return LocalBus(producers)

    def background_tasks(self, bus: Bus) -> list[BackgroundTask]:
        """Return the background tasks of the gateway and of every service."""
        return [task for built in (self.gateway, *self.services.values()) for task in built.background_tasks(bus)]

    def close(self) -> None:
        """Close every database."""
        for opened in (*self.closing, *self.services.values(), self.gateway):
            opened.close()


def child_modules(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the modules that the fork server of the worker imports once for the children of every service."""
    found = [PACKAGES[name].bootstrap.child_modules(document) for name in _WITH_CHILDREN]
    return tuple(dict.fromkeys(module for modules in found for module in modules))


def build(
    environ: Mapping[str, str],
    document: Mapping[str, Any],
    reader: Reader,
    *,
    apply_accounts: bool = False,
    applied: AppliedFile | None = None,
    runner: Runner | None = None,
    started_at: int | None = None,
) -> Hub:
    """Build gateway and services from one environment and one configuration; ConfigError lists every problem.

    With `apply_accounts` the account directory is brought to the configuration as well; one process does that for all.
    A process that outlives changes of the configuration gives the file `applied`: its jobs use filestore-svc by the
    configuration that the file holds. `runner` runs work in children. `started_at` is when the hub was started,
    in milliseconds: web processes are replaced while it runs.
    """
    made = gateway.bootstrap.build_with(
        gateway.settings.Settings.from_env(environ), document if apply_accounts else None, reader
    )
    services: dict[str, Any] = {}
    # Where a later service fails, the databases of the earlier ones are closed: processes that are forked afterwards
    # must not inherit an open SQLite connection.
    with contextlib.ExitStack() as opened:
        opened.callback(made.close)
        for name, package in PACKAGES.items():
            settings = package.settings.Settings.from_env(environ)
            more: dict[str, Any] = {}
            if name in _WITH_CHILDREN:
                more["runner"] = runner
            if package is diplomat_svc:
                more["started_at"] = started_at
            services[name] = package.bootstrap.build(
                settings, directory=made.operations, config=document, reader=reader, **more
            )
            opened.callback(services[name].close)
        filestore = None
        if applied is not None:
            filestore = _following(services["filestore-svc"], made.operations, reader, applied)
        opened.pop_all()
    return Hub(made, services, environ, () if filestore is None else (filestore,), filestore)


def _following(
    service: filestore_svc.bootstrap.Service, directory: Directory, reader: Reader, applied: AppliedFile
) -> AppliedService:
    """Return filestore-svc as jobs call it: by the configuration that was applied last."""

    def build_filestore(document: Mapping[str, Any], of_file: Reader) -> Closeable:
        return filestore_svc.bootstrap.build(service.settings, directory=directory, config=document, reader=of_file)

    return AppliedService(
        service, file=applied, reader=reader, build=build_filestore, application=filestore_svc.app.create_app
    )
