"""Build the service from its settings and the configuration."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mft_common import config as configuration
from mft_common import logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.config import Reader
from mft_common.database import Database
from mft_common.directory import Directory, RemoteDirectory
from mft_common.events import Bus, Inbox, Outbox
from mft_common.events.tables import enter_cluster
from mft_common.identity import Signer
from mft_common.identity_reader import IdentityReader
from mft_common.process.background_tasks import BackgroundTask
from mqmft_svc import SERVICE
from mqmft_svc.events import handlers
from mqmft_svc.migrations import HEAD
from mqmft_svc.operations import Operations
from mqmft_svc.schemas import config as sections
from mqmft_svc.schemas.config import Section
from mqmft_svc.settings import Settings
from mqmft_svc.store.tables import APPLIED, INBOX, OUTBOX, metadata

_PURGE_EVERY_S: Final = 60.0
_DEMO_QMGR: Final = "QM1"


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
            BackgroundTask(f"{SERVICE}-purge", self._purge),
        ]

    def _purge(self, stop: threading.Event) -> None:
        while not stop.wait(_PURGE_EVERY_S):
            while self.operations.recorder.purge() and not stop.is_set():
                pass

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def reader_for(settings: Settings, environ: Mapping[str, str]) -> Reader:
    """Return the resolver of the secrets that the configuration file refers to."""
    folder = Path(settings.config).parent if settings.config else Path()
    return Reader(folder=folder, environ=environ, demo=settings.demo)


def build(
    settings: Settings,
    *,
    directory: Directory | None = None,
    config: Mapping[str, Any] | None = None,
    reader: Reader | None = None,
) -> Service:
    """Build the service, with its tables up to date.

    `directory` is the gateway's own in one process; without it the gateway at `gateway_url` is asked. `config` is the
    whole of crossdock.yaml as a mapping, else the file that the settings name; `reader` resolves its secrets.
    """
    if config is None:
        config = configuration.load(Path(settings.config), sections.SECTIONS, whole=False) if settings.config else {}
        configuration.warn_unused(sections.unused(config))
    reader = reader or reader_for(settings, {})
    section = sections.read_sections(config, reader)
    signer = Signer(settings.internal_keys) if settings.internal_keys else None
    if directory is None:
        directory = RemoteDirectory.configured(settings.gateway_url, signer)
    database = Database(
        settings.database_url, schema=SERVICE, metadata=metadata, migrations="mqmft_svc.migrations", head=HEAD
    )
    database.migrate(enter_cluster)
    with database.write() as connection:
        APPLIED.store(connection, config, reader.folder)
    follower = ConfigurationFollower(APPLIED, sections.read_sections, section, reader)
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
            applied_qmgr=lambda connection: _coordination_qmgr(settings, follower.refresh(connection)),
        ),
        identities=IdentityReader(SERVICE, signer, directory),
        checks={"database": database.ping},
    )


def _coordination_qmgr(settings: Settings, section: Section) -> str:
    """Return the coordination queue manager, empty where none is named; the environment wins over the section."""
    if settings.coordination_qmgr is not None:
        return settings.coordination_qmgr
    return section.coordination_qmgr or (_DEMO_QMGR if settings.demo else "")
