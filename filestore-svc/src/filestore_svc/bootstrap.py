"""Wire this service's parts together."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filestore_svc import schemas
from filestore_svc.events import COMPOSITES
from filestore_svc.migrations import HEAD
from filestore_svc.operations.access import Access
from filestore_svc.operations.completing import Completions
from filestore_svc.operations.deletions import Deletions
from filestore_svc.operations.describing import Describing
from filestore_svc.operations.downloads import Downloads
from filestore_svc.operations.internal import Internal
from filestore_svc.operations.lookup import FileLookup
from filestore_svc.operations.quotas import Quotas
from filestore_svc.operations.reads import OpenReads
from filestore_svc.operations.receiving import PartialDigests
from filestore_svc.operations.resuming import Resuming
from filestore_svc.operations.scanning import Scanning
from filestore_svc.operations.scrubbing import Scrub
from filestore_svc.operations.sweeping import Sweeping
from filestore_svc.operations.transfers import TransferRecorder
from filestore_svc.operations.uploads import Uploads
from filestore_svc.operations.vendor_calls import Operations
from filestore_svc.schemas import Configuration
from filestore_svc.settings import SERVICE, Settings
from filestore_svc.store import folders, quotas, tables
from filestore_svc.store.commits import Commits
from filestore_svc.store.opening import open_blobs
from filestore_svc.store.processes import Processes
from filestore_svc.wire.icap import Scanner
from mft_common import clock
from mft_common import config as files
from mft_common.clock import Clock
from mft_common.config import Reader
from mft_common.database import Database, leases
from mft_common.directory import Directory, RemoteDirectory
from mft_common.errors import Unavailable
from mft_common.events import Bus, Outbox
from mft_common.events.catalogue import register_composites
from mft_common.events.tables import enter_cluster
from mft_common.identity import Signer
from mft_common.identity_reader import IdentityReader
from mft_common.ids import TransferIds
from mft_common.process import health
from mft_common.process.background_tasks import BackgroundTask
from mft_common.state_metrics import StateMetrics


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything that web process and worker need; `checks` are what readiness asks."""

    settings: Settings
    configuration: Configuration
    database: Database
    outbox: Outbox
    operations: Operations
    internal: Internal
    recorder: TransferRecorder
    uploads: Uploads
    reads: OpenReads
    resuming: Resuming
    sweeping: Sweeping
    processes: Processes
    scanner: Scanner | None
    identities: IdentityReader
    checks: Mapping[str, Callable[[], None]]

    def background_tasks(self, bus: Bus) -> list[BackgroundTask]:
        """Return what the worker runs."""
        return [
            *bus.relay_tasks(self.database, self.outbox),
            *bus.maintenance_tasks(self.database, self.outbox),
            StateMetrics(SERVICE, self.database, bus, folder=self.settings.state).task(),
            BackgroundTask(f"{SERVICE}-sweeping", self.sweeping.run),
        ]

    def close(self) -> None:
        """Wait a while for uploads that are being completed, commit the records, then close what is open."""
        self.resuming.close()
        self.recorder.close()
        self.reads.close()
        if self.scanner is not None:
            self.scanner.close()
        self.processes.close()
        self.database.close()


def build(
    settings: Settings,
    *,
    directory: Directory | None = None,
    config: Mapping[str, Any] | None = None,
    reader: Reader | None = None,
    now: Clock = clock.now_ms,
    lease_clock: Clock | None = None,
) -> Service:
    """Build the service: tables up to date, folders as configured, and nothing left of processes that died.

    `directory` is the gateway's own in one process; without it the gateway at `gateway_url` is asked. `config` is the
    whole of crossdock.yaml as a mapping, else the file that the settings name; `reader` resolves its references.
    `lease_clock` is that of the database where processes run on several machines.
    """
    if config is None:
        config = files.load(Path(settings.config), schemas.SECTIONS, whole=False) if settings.config else {}
    reader = reader or Reader(Path(settings.config).parent, {}, data=Path(settings.data).absolute())
    configuration = schemas.read_sections(config, reader)
    register_composites(COMPOSITES)
    signer = Signer(settings.internal_keys) if settings.internal_keys else None
    if directory is None:
        directory = RemoteDirectory.configured(settings.gateway_url, signer)
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = _database(settings)
    database.migrate(enter_cluster)
    blobs = open_blobs(settings)
    # A SQLite file serves one machine, and locks tell there which processes live.
    alone = database.dialect == "sqlite"
    lease_clock = lease_clock or (now if alone else functools.partial(_server_ms, database))
    processes = Processes(settings.state / "processes" if alone else None, lease_clock)
    commits = Commits(database)
    commits.run(lambda connection: folders.apply(connection, configuration.folders))
    commits.run(lambda connection: quotas.apply(connection, configuration.limits.counted()))
    reads = OpenReads(commits, processes, needed=not (alone and blobs.outlives_removal))
    recorder = TransferRecorder(
        commits, processes, TransferIds(settings.transfer_id_prefix), now, each_tick=(reads.flush,)
    )
    limits = Quotas(commits, blobs, processes, configuration.limits)
    scanner = Scanner(configuration.scan) if configuration.scan is not None else None
    scanning = Scanning(configuration.scan, scanner, blobs.open) if configuration.scan and scanner else None
    access, digests = Access(configuration), PartialDigests()
    lookup = FileLookup(access, database, now)
    uploads = Uploads(
        access=access, commits=commits, blobs=blobs, recorder=recorder, quotas=limits, processes=processes, now=now,
        scanning=scanning,
    )  # fmt: skip
    downloads = Downloads(blobs, reads, recorder, configuration.limits, now)
    deletions = Deletions(commits, now)
    life = int(configuration.uploads_expire * 1000)
    completions = Completions(uploads, digests, processes, keep_metadata=configuration.keep_metadata, life=life)
    resuming = Resuming(uploads, completions, digests, life)
    operations = Operations(
        configuration=configuration, directory=directory, access=access, commits=commits, lookup=lookup,
        uploads=uploads, downloads=downloads, describing=Describing(commits, now), deletions=deletions, now=now,
    )  # fmt: skip
    internal = Internal(
        access=access, database=database, lookup=lookup, downloads=downloads, deletions=deletions, resuming=resuming,
        now=now,
    )  # fmt: skip
    sweeping = Sweeping(commits, blobs, recorder, resuming, uploads, reads=reads, now=now, alone=alone)
    sweeping.at_start()

    def check_bytes() -> None:
        try:
            blobs.ping()
        except OSError as error:
            raise Unavailable("the store of the bytes does not take any") from error
        free = blobs.free()
        if free is not None and free < health.LEAST_FREE:
            raise Unavailable(f"the disk of the stored files is full: {free} bytes are free")

    checks = {"database": database.ping, "bytes": check_bytes}
    # A hub that does without the scanner while it is away is ready without it.
    if scanning is not None and scanning.scan.on_failure == "refuse":
        checks["scanner"] = scanning.check
    return Service(
        settings=settings,
        configuration=configuration,
        database=database,
        outbox=tables.outbox,
        operations=operations,
        internal=internal,
        recorder=recorder,
        uploads=uploads,
        reads=reads,
        resuming=resuming,
        sweeping=sweeping,
        processes=processes,
        scanner=scanner,
        identities=IdentityReader(SERVICE, signer, directory),
        checks=checks,
    )


@contextlib.contextmanager
def scrub(settings: Settings) -> Iterator[Scrub]:
    """Open database and bytes for a scrub, and nothing else; Unavailable where no hub has made them yet."""
    database = _database(settings)
    try:
        database.ping()
        yield Scrub(database, open_blobs(settings))
    finally:
        database.close()


def _database(settings: Settings) -> Database:
    return Database(
        settings.database, schema=SERVICE, metadata=tables.metadata, migrations="filestore_svc.migrations", head=HEAD
    )


def _server_ms(database: Database) -> int:
    with database.read() as connection:
        return leases.server_ms(connection)
