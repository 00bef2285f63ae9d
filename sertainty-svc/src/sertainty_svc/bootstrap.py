"""Build the service from its settings and the configuration."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mft_common import config as configuration
from mft_common.clock import Clock, now_ms
from mft_common.config import Reader
from mft_common.database import Database
from mft_common.directory import Directory, RemoteDirectory
from mft_common.events import Bus, Inbox, Outbox
from mft_common.events.tables import enter_cluster
from mft_common.identity import Signer
from mft_common.identity_reader import IdentityReader
from mft_common.process.background_tasks import BackgroundTask
from sertainty_svc import SERVICE, schemas, store
from sertainty_svc.events import handlers
from sertainty_svc.migrations import HEAD
from sertainty_svc.operations import Operations
from sertainty_svc.schemas import Section
from sertainty_svc.settings import Settings

_BEAT_EVERY_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """The parts of web process and worker; readiness runs `checks`."""

    settings: Settings
    section: Section
    database: Database
    outbox: Outbox
    inbox: Inbox
    operations: Operations
    identities: IdentityReader
    checks: Mapping[str, Callable[[], None]]

    def background_tasks(self, bus: Bus) -> list[BackgroundTask]:
        """Return the worker's tasks."""
        return [
            *bus.relay_tasks(self.database, self.outbox),
            *bus.consume_tasks(SERVICE, self.database, self.inbox, handlers(self.operations)),
            *bus.maintenance_tasks(self.database, self.outbox, self.inbox),
            BackgroundTask(f"{SERVICE}-heartbeat", self._beat),
        ]

    def _beat(self, stop: threading.Event) -> None:
        self.operations.agent.beat()
        while not stop.wait(_BEAT_EVERY_S):
            self.operations.agent.beat()

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def build(
    settings: Settings,
    *,
    directory: Directory | None = None,
    config: Mapping[str, Any] | None = None,
    reader: Reader | None = None,
    now: Clock = now_ms,
) -> Service:
    """Build the service, with its tables up to date.

    `directory` is the gateway's own in one process; without it the gateway at `gateway_url` is asked. `config` is the
    whole of crossdock.yaml as a mapping, else the file that the settings name; `reader` resolves its references.
    """
    if config is None:
        config = configuration.load(Path(settings.config), schemas.SECTIONS, whole=False) if settings.config else {}
        configuration.warn_unused(schemas.unused(config))
    reader = reader or Reader(Path(settings.config or "").parent, {}, data=Path(settings.data))
    section = schemas.read_sections(config, reader)
    signer = Signer(settings.internal_keys) if settings.internal_keys else None
    if directory is None:
        directory = RemoteDirectory.configured(settings.gateway_url, signer)
    database = Database(
        settings.database_url, schema=SERVICE, metadata=store.metadata, migrations="sertainty_svc.migrations", head=HEAD
    )
    database.migrate(enter_cluster)
    return Service(
        settings=settings,
        section=section,
        database=database,
        outbox=store.OUTBOX,
        inbox=store.INBOX,
        operations=Operations(database, directory, now=now),
        identities=IdentityReader(SERVICE, signer, directory),
        checks={"database": database.ping},
    )
