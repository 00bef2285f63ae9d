"""Build the service from its settings and the configuration."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mft_common import config as configuration
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock, now_ms
from mft_common.config import Reader
from mft_common.database import Database, advisory_lock
from mft_common.directory import Directory, RemoteDirectory
from mft_common.dispatch import Dispatcher, Sweeper
from mft_common.endpoints.filestore import Filestore
from mft_common.errors import ConfigError
from mft_common.events import Bus, Inbox, Outbox
from mft_common.events.tables import enter_cluster
from mft_common.identity import Signer
from mft_common.identity_reader import IdentityReader
from mft_common.ids import TransferIds
from mft_common.process.background_tasks import BackgroundTask, periodic_task
from mft_common.process.runner import Runner, child_environment
from mft_common.process.worker_lock import Exclusive, Shared, WorkerLock
from mft_common.schedules import timers_task
from mft_common.state_metrics import StateMetrics
from mft_common.watching import Watcher, watcher_task
from sertainty_svc import SERVICE
from sertainty_svc.events import handlers
from sertainty_svc.migrations import HEAD
from sertainty_svc.operations import Operations
from sertainty_svc.operations.agent_worker import AgentWorker
from sertainty_svc.operations.arrivals import Arrivals
from sertainty_svc.operations.context import Context
from sertainty_svc.operations.executing.ending import Ending
from sertainty_svc.operations.executing.events import TransferReport
from sertainty_svc.operations.executing.orders import Orders
from sertainty_svc.operations.executing.owned import Parts
from sertainty_svc.operations.executing.purging import purge_task
from sertainty_svc.operations.executing.sweeping import SWEEP, ExecutionRemovals
from sertainty_svc.operations.executing.work import RUN, ExecutionWork
from sertainty_svc.operations.protection import host_key
from sertainty_svc.operations.protection.host_key import HostKeyUnusable
from sertainty_svc.operations.queueing import Queueing
from sertainty_svc.operations.scheduling import timers_of
from sertainty_svc.operations.watches import watcher_of
from sertainty_svc.schemas import configuration as sections
from sertainty_svc.schemas.configuration import Section
from sertainty_svc.settings import Settings
from sertainty_svc.store.queue_depth import EXECUTIONS
from sertainty_svc.store.tables import APPLIED, INBOX, OUTBOX, WORKERS, metadata

_DELIVERIES_EVERY_S: Final = 60.0
_LOCK: Final = "worker.lock"
# A script has 5 s between SIGTERM and SIGKILL (73).
_OBEYS_WITHIN_S: Final = 8.0
# What children of the worker need in any case; its fork server imports it once.
_CHILD_MODULES: Final = ("sertainty_svc.operations.running.child",)


def child_modules(_document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the modules for the children of a worker with this configuration, which need not be valid."""
    return _CHILD_MODULES


def new_runner(settings: Settings, environ: Mapping[str, str]) -> Runner:
    """Return the runner of a worker; it is started before the worker has threads."""
    return Runner(SERVICE, child_modules({}), environment=child_environment(environ), level=settings.log_level)


@dataclass(frozen=True, kw_only=True)
class Service:
    """The parts of web process and worker; readiness runs `checks`.

    Only a worker has a `runner`, and lets its `agent_worker` run.
    """

    settings: Settings
    section: Section
    database: Database
    outbox: Outbox
    inbox: Inbox
    operations: Operations
    agent_worker: AgentWorker
    identities: IdentityReader
    follower: ConfigurationFollower[Section]
    checks: Mapping[str, Callable[[], None]]
    runner: Runner | None = None

    def background_tasks(self, bus: Bus) -> list[BackgroundTask]:
        """Return the worker's tasks."""
        now, watcher = self.operations.context.now, self.watcher()
        arrivals = Arrivals(self.database, now, watcher.wake_any)
        return [
            *bus.relay_tasks(self.database, self.outbox),
            *bus.consume_tasks(SERVICE, self.database, self.inbox, handlers(arrivals)),
            *bus.maintenance_tasks(self.database, self.outbox, self.inbox),
            StateMetrics(SERVICE, self.database, bus, queues=[EXECUTIONS], folder=self.settings.state).task(),
            *self.agent_worker.background_tasks(),
            watcher_task(f"{SERVICE}-watching", watcher),
            timers_task(f"{SERVICE}-schedules", timers_of(self.database, self.queueing, now)),
            periodic_task(f"{SERVICE}-deliveries", arrivals.purge_all, every=_DELIVERIES_EVERY_S),
            *(self.carrying_out() if self.runner is not None else ()),
        ]

    def carrying_out(self) -> list[BackgroundTask]:
        """Return the tasks that carry out executions, and no others."""
        return [
            BackgroundTask(f"{SERVICE}-executions", self.dispatcher().run),
            purge_task(f"{SERVICE}-purge", self.database, self.operations.context.now),
        ]

    @property
    def ending(self) -> Ending:
        """The writer of the ends of executions."""
        return Ending(TransferReport(socket.gethostname()), self.operations.context.now)

    @property
    def queueing(self) -> Queueing:
        """The queue of executions, for watches and timers."""
        ids = TransferIds(self.settings.transfer_id_prefix)
        return Queueing(ids, self.operations.context.now, self.ending.fail)

    @property
    def filestore(self) -> Filestore | None:
        """The way to filestore-svc, None where there is none."""
        return Filestore.configured(self.settings.filestore_url, self.settings.internal_keys, self.settings.state)

    def watcher(self, **options: Any) -> Watcher:
        """Return the task that looks at the source folders of Change tasks; `options` are those of Watcher."""
        return watcher_of(self.operations.context, self.queueing, self.filestore, **options)

    def dispatcher(self, target: str = RUN, sweep: str = SWEEP, **options: Any) -> Dispatcher[int]:
        """Return the task that carries out executions by functions of its children."""
        runner, now = self._workers_runner(), self.operations.context.now
        orders = Orders(self.settings, self.filestore)
        work = ExecutionWork(
            Parts(self.database, self.ending), self.follower, runner, orders, target=target, **options
        )  # fmt: skip
        removals = ExecutionRemovals(self.follower, orders, now=now, target=sweep)
        sweeper = Sweeper(removals, self.database, runner, now=now)
        beside = [BackgroundTask("sweeps", sweeper.run), work.telling()]
        lock = self._lock(_LOCK)
        return Dispatcher(work, self.database, WORKERS, lock=lock, beside=beside, obeys_within=_OBEYS_WITHIN_S)

    def _workers_runner(self) -> Runner:
        if self.runner is None:
            raise ValueError("a worker is built with a runner")
        return self.runner

    def _lock(self, name: str) -> WorkerLock:
        """Return the lock of one kind of worker: on SQLite there is one of it."""
        return Exclusive(self.settings.state / name) if self.database.dialect == "sqlite" else Shared()

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def build(
    settings: Settings,
    *,
    directory: Directory | None = None,
    config: Mapping[str, Any] | None = None,
    reader: Reader | None = None,
    runner: Runner | None = None,
    now: Clock = now_ms,
) -> Service:
    """Build the service, with its tables up to date.

    `directory` is the gateway's own in one process; without it the gateway at `gateway_url` is asked. `config` is the
    whole of crossdock.yaml as a mapping, else the file that the settings name; `reader` resolves its references.
    `runner` is the worker's; a web process has none.
    """
    if config is None:
        config = configuration.load(Path(settings.config), sections.SECTIONS, whole=False) if settings.config else {}
        configuration.warn_unused(sections.unused(config))
    reader = replace(reader or Reader(Path(settings.config or "").parent, {}), data=Path(settings.data).absolute())
    read_sections = sections.sections_reader(settings.host_key_file)
    section = read_sections(config, reader)
    _ensure_host_key(settings, section)
    signer = Signer(settings.internal_keys) if settings.internal_keys else None
    if directory is None:
        directory = RemoteDirectory.configured(settings.gateway_url, signer)
    database = Database(
        settings.database_url, schema=SERVICE, metadata=metadata, migrations="sertainty_svc.migrations", head=HEAD
    )
    database.migrate(enter_cluster)
    with database.write() as connection:
        # Processes that start at the same time apply the configuration one after another.
        advisory_lock(connection, f"{SERVICE} configuration")
        APPLIED.store(connection, config, reader.folder)
    follower = ConfigurationFollower(APPLIED, read_sections, section, reader)
    return Service(
        settings=settings,
        section=section,
        database=database,
        outbox=OUTBOX,
        inbox=INBOX,
        operations=Operations(Context(database, settings, follower.refresh, now), directory),
        agent_worker=AgentWorker(database, now=now),
        identities=IdentityReader(SERVICE, signer, directory),
        follower=follower,
        checks={"database": database.ping},
        runner=runner,
    )


def _ensure_host_key(settings: Settings, section: Section) -> None:
    try:
        host_key.ensure(settings, section)
    except HostKeyUnusable as error:
        raise ConfigError([f"{host_key.location(settings, section)}: {error}"]) from error
    except OSError as error:
        raise ConfigError([f"{settings.state}: the host key cannot be made there ({error.strerror})"]) from error
