"""Build the service from its settings and the configuration."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mft_common import config as configuration
from mft_common import logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock, now_ms
from mft_common.config import Reader
from mft_common.database import Database, advisory_lock
from mft_common.directory import Directory, RemoteDirectory
from mft_common.dispatch import Dispatcher, Sweeper
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.registry import modules_for
from mft_common.events import Bus, Inbox, Outbox
from mft_common.events.tables import enter_cluster
from mft_common.identity import Signer
from mft_common.identity_reader import IdentityReader
from mft_common.process.background_tasks import BackgroundTask
from mft_common.process.runner import Runner, child_environment
from mft_common.process.worker_lock import Exclusive, Shared, WorkerLock
from mft_common.schedules import timers_task
from mft_common.state_metrics import StateMetrics
from mft_common.watching import Watcher, watcher_task
from mqmft_svc import SERVICE
from mqmft_svc.events import handlers
from mqmft_svc.migrations import HEAD
from mqmft_svc.operations import Operations
from mqmft_svc.operations.calls.work import CallWork
from mqmft_svc.operations.managed.call_work import TransferCallWork
from mqmft_svc.operations.managed.sweeping import TransferRemovals
from mqmft_svc.operations.managed.work import ManagedWork
from mqmft_svc.operations.monitoring.watches import watcher_of
from mqmft_svc.operations.probing import Prober
from mqmft_svc.schemas import config as sections
from mqmft_svc.schemas.config import Section
from mqmft_svc.settings import Settings
from mqmft_svc.store import agents, monitors, visibility
from mqmft_svc.store.queue_depth import QUEUES
from mqmft_svc.store.tables import APPLIED, CALL_WORKERS, INBOX, OUTBOX, TRANSFER_CALL_WORKERS, WORKERS, metadata

_PURGE_EVERY_S: Final = 60.0
_LOCK: Final = "worker.lock"
_CALL_LOCK: Final = "call-worker.lock"
_TRANSFER_CALL_LOCK: Final = "transfer-call-worker.lock"
# A cancelled transfer ends within 5 s (180).
_OBEYS_WITHIN_S: Final = 3.0
_DEMO_QMGR: Final = "QM1"
# What children of the worker need in any case; its fork server imports it once.
_CHILD_MODULES: Final = (
    "mqmft_svc.operations.agent_child",
    "mqmft_svc.operations.calls.child",
    "mqmft_svc.operations.managed.calling",
    "mqmft_svc.operations.managed.child",
    "mqmft_svc.operations.monitoring.child",
)

# What children need for queues.
_QUEUE_MODULES: Final = ("mqmft_svc.operations.managed.queues.moves", "mqmft_svc.operations.monitoring.queue_child")


def child_modules(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the modules for the children of a worker with this configuration, which need not be valid.

    A kind of endpoint that is applied later is imported by each child that uses it.
    """
    section = document.get("ibm_mq_mft")
    declared = [document.get("endpoints"), section.get("agents") if isinstance(section, dict) else None]
    entries = [entry for each in declared if isinstance(each, dict) for entry in each.values()]
    entries = [entry for entry in entries if isinstance(entry, dict)]
    given = [entry.get(key) for entry in entries for key in ("url", "root")]
    of_queues = _QUEUE_MODULES if any("queues" in entry for entry in entries) else ()
    return (*_CHILD_MODULES, *of_queues, *modules_for(url for url in given if isinstance(url, str)))


def new_runner(settings: Settings, environ: Mapping[str, str]) -> Runner:
    """Return the runner of a worker; it is started before the worker has threads."""
    document = configuration.load(Path(settings.config), sections.SECTIONS, whole=False) if settings.config else {}
    return Runner(SERVICE, child_modules(document), environment=child_environment(environ), level=settings.log_level)


@dataclass(frozen=True, kw_only=True)
class Service:
    """The parts of web process and worker; readiness runs `checks`. Only a worker has a `runner`."""

    settings: Settings
    section: Section
    database: Database
    outbox: Outbox
    inbox: Inbox
    operations: Operations
    identities: IdentityReader
    follower: ConfigurationFollower[Section]
    checks: Mapping[str, Callable[[], None]]
    runner: Runner | None = None

    def background_tasks(self, bus: Bus) -> list[BackgroundTask]:
        """Return the worker's tasks."""
        # Imported here because only workers need pika.
        from mqmft_svc import ingestion

        return [
            *bus.relay_tasks(self.database, self.outbox),
            *bus.consume_tasks(SERVICE, self.database, self.inbox, handlers(self.operations)),
            *bus.maintenance_tasks(self.database, self.outbox, self.inbox),
            StateMetrics(SERVICE, self.database, bus, queues=QUEUES, folder=self.settings.state).task(),
            *ingestion.tasks(self.settings, self.database, self.operations.recorder),
            BackgroundTask(f"{SERVICE}-purge", self._purge),
            *self.visibility_tasks(),
            timers_task(f"{SERVICE}-schedules", self.operations.scheduling.timers()),
            BackgroundTask(f"{SERVICE}-agents", self.prober().run),
            *self.carrying_out(),
        ]

    def carrying_out(self) -> list[BackgroundTask]:
        """Return the tasks that carry out what was asked for, and no others."""
        return [
            BackgroundTask(f"{SERVICE}-managed", self.dispatcher().run),
            watcher_task(f"{SERVICE}-monitors", self.watcher()),
            BackgroundTask(f"{SERVICE}-calls", self.call_dispatcher().run),
            BackgroundTask(f"{SERVICE}-transfer-calls", self.transfer_call_dispatcher().run),
        ]

    def prober(self) -> Prober:
        """Return the task that probes the agents."""
        return Prober(self.database, self.follower, self._workers_runner(), now=self.operations.now)

    def dispatcher(self) -> Dispatcher[str]:
        """Return the task that carries out managed transfers."""
        parts = (self.database, self.follower, self._workers_runner())
        patience = self.settings.ack_timeout_ms / 1000 * self.settings.ack_retries
        lock = self._lock(_LOCK)
        private = self.settings.state / "private"
        work = ManagedWork(*parts, patience_s=patience, now=self.operations.now, private=private)
        removals = TransferRemovals(self.follower, patience_s=patience, now=self.operations.now)
        sweeper = Sweeper(removals, self.database, self._workers_runner(), now=self.operations.now)
        beside = [BackgroundTask("sweeps", sweeper.run), work.telling()]
        return Dispatcher(work, self.database, WORKERS, lock=lock, beside=beside, obeys_within=_OBEYS_WITHIN_S)

    def watcher(self, **options: Any) -> Watcher:
        """Return the task that looks at the folders of monitors; `options` are those of `watcher_of`."""
        return watcher_of(self.database, self.follower, self._workers_runner(), self.operations.triggering, **options)

    def call_dispatcher(self) -> Dispatcher[str]:
        """Return the task that makes the calls that were asked for by themselves."""
        work = CallWork(self.database, self._workers_runner(), hosts=self.settings.call_hosts, now=self.operations.now)
        return Dispatcher(work, self.database, CALL_WORKERS, lock=self._lock(_CALL_LOCK))

    def transfer_call_dispatcher(self) -> Dispatcher[str]:
        """Return the task that makes the calls of managed transfers."""
        work = TransferCallWork(
            self.database, self._workers_runner(), hosts=self.settings.call_hosts, now=self.operations.now
        )
        return Dispatcher(work, self.database, TRANSFER_CALL_WORKERS, lock=self._lock(_TRANSFER_CALL_LOCK))

    def _workers_runner(self) -> Runner:
        if self.runner is None:
            raise ValueError("a worker is built with a runner")
        return self.runner

    def _lock(self, name: str) -> WorkerLock:
        """Return the lock of one kind of worker: on SQLite there is one of it."""
        return Exclusive(self.settings.state / name) if self.database.dialect == "sqlite" else Shared()

    def visibility_tasks(self, every: float = visibility.NOTED_EVERY_S) -> list[BackgroundTask]:
        """Return the task that lets processes which start later join this run of the hub (200), if one is needed."""
        if not self.settings.cache_reset_on_start or self.settings.started_at is not None:
            return []

        def run(stop: threading.Event) -> None:
            while not stop.wait(every):
                with self.database.write() as connection:
                    visibility.note(connection, self.operations.now())

        return [BackgroundTask(f"{SERVICE}-visibility", run)]

    def _purge(self, stop: threading.Event) -> None:
        while not stop.wait(_PURGE_EVERY_S):
            for purge in (
                self.operations.recorder.purge,
                self.operations.submitting.purge,
                self.operations.calls.purge,
                self.operations.monitors.purge,
            ):
                while purge() and not stop.is_set():
                    pass

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def reader_for(settings: Settings, environ: Mapping[str, str]) -> Reader:
    """Return the resolver of the secrets that the configuration file refers to."""
    folder = Path(settings.config).parent if settings.config else Path()
    return Reader(folder=folder, environ=environ, demo=settings.demo, data=Path(settings.data).absolute())


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
    whole of crossdock.yaml as a mapping, else the file that the settings name; `reader` resolves its secrets.
    `runner` is the worker's; a web process has none.
    """
    if config is None:
        config = configuration.load(Path(settings.config), sections.SECTIONS, whole=False) if settings.config else {}
    reader = replace(reader or reader_for(settings, {}), data=Path(settings.data).absolute())
    section = sections.read_sections(config, reader)
    signer = Signer(settings.internal_keys) if settings.internal_keys else None
    if directory is None:
        directory = RemoteDirectory.configured(settings.gateway_url, signer)
    database = Database(
        settings.database_url, schema=SERVICE, metadata=metadata, migrations="mqmft_svc.migrations", head=HEAD
    )
    database.migrate(enter_cluster)
    with database.write() as connection:
        # Processes that start at the same time apply the configuration one after another.
        advisory_lock(connection, f"{SERVICE} configuration")
        APPLIED.store(connection, config, reader.folder)
        if settings.cache_reset_on_start:
            visibility.begin(connection, now(), settings.started_at)
        agents.apply(connection, {one.name: one.definition for one in section.agents.values()}, now())
        monitors.apply(connection, section.monitors, now())
    filestore = Filestore.configured(settings.filestore_url, settings.internal_keys, settings.state)

    def with_filestore(given: Section) -> Section:
        return replace(given, endpoints=replace(given.endpoints, filestore=filestore))

    def for_worker(document: Mapping[str, Any], found: Reader) -> Section:
        return with_filestore(sections.read_sections(document, found))

    follower = ConfigurationFollower(APPLIED, for_worker, with_filestore(section), reader)
    if not settings.security:
        logs.get("bootstrap").warning("security.off", user=settings.security_off_user)
    return Service(
        settings=settings,
        section=section,
        database=database,
        outbox=OUTBOX,
        inbox=INBOX,
        operations=Operations(
            database,
            directory,
            settings,
            coordination_qmgr=_coordination_qmgr(settings, section),
            agents=section.agents,
            applied_agents=lambda connection: follower.refresh(connection).agents,
            applied_zone=lambda connection: follower.refresh(connection).timezone,
            applied_qmgr=lambda connection: _coordination_qmgr(settings, follower.refresh(connection)),
            now=now,
        ),
        identities=IdentityReader(SERVICE, signer, directory),
        follower=follower,
        checks={"database": database.ping},
        runner=runner,
    )


def _coordination_qmgr(settings: Settings, section: Section) -> str:
    """Return the coordination queue manager, empty where none is named; the environment wins over the section."""
    if settings.coordination_qmgr is not None:
        return settings.coordination_qmgr
    return section.coordination_qmgr or (_DEMO_QMGR if settings.demo else "")
