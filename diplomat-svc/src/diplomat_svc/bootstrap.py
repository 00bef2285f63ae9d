"""Build the service from its settings and the configuration: database, operations, worker."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.transactions import Configuration, Options
from diplomat_svc.events import handlers
from diplomat_svc.operations import Operations
from diplomat_svc.operations.auditing import Auditor, audit_task
from diplomat_svc.operations.dispatch import JobWork, WorkerConfiguration
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.operations.lateness import lateness_task
from diplomat_svc.operations.log_views import LogViews, sweep_task, views_of
from diplomat_svc.operations.retention import purge_jobs_task
from diplomat_svc.operations.starting import Starter
from diplomat_svc.operations.summaries import Server
from diplomat_svc.schemas.configuration import SECTIONS, read_sections, unused
from diplomat_svc.schemas.notify import WEBHOOKS, stored_webhooks, webhooks_of
from diplomat_svc.settings import Settings
from diplomat_svc.store import change_clock, jobs, queue_depth, transactions
from diplomat_svc.store.tables import (
    APPLIED,
    INBOX,
    JOB_LOG,
    NOTIFICATIONS,
    OUTBOX,
    SERVICE,
    TIMERS,
    WORKERS,
    open_database,
)
from mft_common import config as configuration_file
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock, now_ms
from mft_common.database import Database, advisory_lock
from mft_common.directory import Directory, RemoteDirectory
from mft_common.dispatch import Dispatcher
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.registry import modules_for
from mft_common.errors import ConfigError, MftError
from mft_common.events import Bus, Handlers, Outbox
from mft_common.identity import Signer
from mft_common.identity_reader import IdentityReader
from mft_common.ids import TransferIds
from mft_common.joblog import Retention, purge_task
from mft_common.notify import Delivery, delivery_task, purge_given_up_task
from mft_common.process.background_tasks import BackgroundTask, begin_after
from mft_common.process.runner import Runner, child_environment
from mft_common.process.worker_lock import Exclusive, Shared
from mft_common.schedules import Firing, TimerService, time_zone, timers_task
from mft_common.state_metrics import StateMetrics

_LOCK: Final = "worker.lock"
# What children of the worker need in any case; its fork server imports it once.
_CHILD_MODULES: Final = ("diplomat_svc.operations.job_child",)


def child_modules(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the modules for the children of a worker with this configuration, which need not be valid.

    A kind of endpoint that is applied later is imported by each child that uses it.
    """
    endpoints, definitions = document.get("endpoints"), document.get("transactions")
    sides = list(endpoints.values()) if isinstance(endpoints, dict) else []
    for definition in definitions if isinstance(definitions, list) else []:
        if isinstance(definition, dict):
            sides += [definition.get("source"), definition.get("destination")]
    urls = [side["url"] for side in sides if isinstance(side, dict) and isinstance(side.get("url"), str)]
    return (*_CHILD_MODULES, *modules_for(urls))


def new_runner(settings: Settings, environ: Mapping[str, str]) -> Runner:
    """Return the runner of a worker; it is started before the worker has threads."""
    document = configuration_file.load(Path(settings.config), SECTIONS, whole=False) if settings.config else {}
    return Runner(SERVICE, child_modules(document), environment=child_environment(environ), level=settings.log_level)


@dataclass(frozen=True)
class Service:
    """The parts of web process and worker; readiness runs `checks`. Only a worker has a `runner`."""

    settings: Settings
    configuration: Configuration
    database: Database
    operations: Operations
    identities: IdentityReader
    outbox: Outbox
    follower: ConfigurationFollower[WorkerConfiguration]
    checks: Mapping[str, Callable[[], None]]
    runner: Runner | None = None

    def background_tasks(self, bus: Bus) -> list[BackgroundTask]:
        """Return the worker's tasks; those that start jobs begin after the recovery, which ends jobs that wait."""
        dispatcher = self.dispatcher()
        consuming = bus.consume_tasks(SERVICE, self.database, INBOX, self.handlers())
        starting = [timers_task("timers", self.timers()), *consuming]
        return [
            BackgroundTask("jobs", dispatcher.run),
            *(begin_after(dispatcher.recovered, task) for task in starting),
            purge_task("job-log-purge", self.database, JOB_LOG, self._log_retention, jobs.with_kept_logs()),
            purge_jobs_task(self.database, self._options, self.operations.clock),
            lateness_task(self.operations.writer),
            audit_task(self.operations.writer, Auditor(self.database, lambda: self._applied().audit)),
            delivery_task("notifications", self.delivery()),
            purge_given_up_task("notification-purge", self.delivery()),
            sweep_task(self.database, self.operations.log_views.views, self.operations.directory),
            *bus.relay_tasks(self.database, self.outbox),
            *bus.maintenance_tasks(self.database, self.outbox, INBOX),
            StateMetrics(SERVICE, self.database, bus, queues=[queue_depth.JOBS], folder=self.settings.state).task(),
        ]

    def starter(self) -> Starter:
        """Return what puts the jobs of schedules and triggers into the queue."""
        return Starter(self.operations.writer, self.operations.transfer_ids)

    def handlers(self) -> Handlers:
        """Return the handlers of events."""
        return handlers(self.operations.log_views.views, self.starter())

    def timers(self) -> TimerService:
        """Return what fires the timers of schedules and of delayed jobs."""
        starter = self.starter()

        def fire(connection: sa.Connection, firing: Firing) -> None:
            starter.fire(connection, firing, self.follower.refresh(connection).options)

        # Whoever changes timers holds the clock before: it is taken first here too.
        return TimerService(self.database, TIMERS, fire, now=self.operations.clock, prepare=change_clock.lock)

    def dispatcher(self) -> Dispatcher[int]:
        """Return the task that runs jobs."""
        if self.runner is None:
            raise ValueError("a worker is built with a runner")
        lock = Exclusive(self.settings.state / _LOCK) if self.database.dialect == "sqlite" else Shared()
        work = JobWork(self.operations.writer, self.follower, self.runner)
        beside = [BackgroundTask("sweeps", work.sweeper.run)]
        return Dispatcher(work, self.database, WORKERS, lock=lock, beside=beside)

    def delivery(self) -> Delivery:
        """Return the part of a worker that sends notifications to the receivers of the applied configuration."""
        return Delivery(
            database=self.database, notifications=NOTIFICATIONS, channels=lambda: self._applied().channels,
            now=self.operations.clock,
        )  # fmt: skip

    def _applied(self) -> WorkerConfiguration:
        """Return the configuration that was applied last."""
        with self.database.read() as connection:
            return self.follower.refresh(connection)

    def _options(self) -> Options:
        return self._applied().options

    def _log_retention(self) -> Retention:
        return Retention(age=self._options().logs_keep)

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def build(
    settings: Settings,
    *,
    directory: Directory | None = None,
    config: Mapping[str, Any] | None = None,
    reader: configuration_file.Reader | None = None,
    environ: Mapping[str, str] | None = None,
    runner: Runner | None = None,
    clock: Clock = now_ms,
    started_at: int | None = None,
) -> Service:
    """Open the database and apply the configured transactions; ConfigError lists every problem.

    Arguments that are None come from the settings: the configuration's file and the gateway's URL. `runner` is the
    worker's; a web process has none.
    `started_at` is when the hub was started, in milliseconds, where this process is not the first one of it.
    `reader` resolves secrets; without one, a reader of `environ` and of the folder of the configuration's file does.
    The configuration is stored in the same transaction as the transactions, where a worker that runs already finds it.
    """
    data = Path(settings.data).absolute()
    reader = replace(reader or configuration_file.Reader(Path(settings.config or "").parent, environ or {}), data=data)
    signer = Signer(settings.internal_keys) if settings.internal_keys else None
    if directory is None:
        directory = RemoteDirectory.configured(settings.gateway_url, signer)
    if config is None:
        config = configuration_file.load(Path(settings.config), SECTIONS, whole=False) if settings.config else {}
        configuration_file.warn_unused(unused(config))
    wanted = read_sections(config, reader)
    database = open_database(settings.database)
    with database.write() as connection:
        # Processes that start at the same time apply the configuration one after another.
        advisory_lock(connection, f"{SERVICE} configuration")
        problems = transactions.apply(connection, wanted.transactions, clock())
        if problems:
            raise ConfigError(problems)
        APPLIED.store(connection, {**config, WEBHOOKS: webhooks_of(config)}, reader.folder)

    filestore = Filestore.configured(settings.filestore_url, settings.internal_keys, settings.state)

    def for_worker(document: Mapping[str, Any], found: configuration_file.Reader) -> WorkerConfiguration:
        read = read_sections(document, found)
        channels = replace(read.channels, webhooks=stored_webhooks(document, found))
        return worker_configuration(replace(read, channels=channels))

    def worker_configuration(given: Configuration) -> WorkerConfiguration:
        endpoints = replace(given.endpoints, filestore=filestore)
        return WorkerConfiguration(
            given.options, endpoints, given.channels, given.audit, keys=given.keys, private=settings.state / "private"
        )

    follower = ConfigurationFollower(APPLIED, for_worker, worker_configuration(wanted), reader)
    options, zone = wanted.options, time_zone(wanted.options.logs_time_zone)
    views = views_of(database, settings.state / "log-views", zone)
    operations = Operations(
        database=database,
        directory=directory,
        configuration=wanted,
        transfer_ids=TransferIds(settings.transfer_id_prefix),
        clock=clock,
        writer=JobWriter(database, clock, socket.gethostname()),
        log_views=LogViews(database, views, options.log_buffer_lines),
        server=Server(socket.gethostname(), clock() if started_at is None else started_at, zone),
    )
    checks: dict[str, Callable[[], None]] = {"database": database.ping}
    if database.dialect == "sqlite":
        checks["worker"] = lambda: _recovered(database, Exclusive(settings.state / _LOCK))
    identities = IdentityReader(SERVICE, signer, directory)
    return Service(settings, wanted, database, operations, identities, OUTBOX, follower, checks, runner)


def _recovered(database: Database, lock: Exclusive) -> None:
    """Raise MftError unless a worker runs and has recovered the jobs of the one before it (E15)."""
    owner = lock.owner()
    with database.read() as connection:
        if not WORKERS.is_signed_in(connection, owner):
            raise MftError("the worker is still recovering")
