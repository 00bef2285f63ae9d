"""Wire the gateway from its settings, and bring its accounts to the configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from flask import Flask

from gateway import routes
from gateway.domain import AccountSpec, PromptRules, Trust
from gateway.operations import Operations
from gateway.operations.passwords import Passwords
from gateway.routing import ROUTES
from gateway.schemas.accounts import SECTIONS, read_accounts, read_basic, read_origins, read_prompt_rules
from gateway.settings import Settings
from gateway.store.sessions import count_by_service
from gateway.store.tables import OUTBOX, open_database
from mft_common import config, logs
from mft_common.clock import Clock, now_ms
from mft_common.database import Database
from mft_common.events.bus import Bus
from mft_common.events.outbox import Outbox
from mft_common.identity import Signer
from mft_common.process.background_tasks import BackgroundTask, periodic_task
from mft_common.state_metrics import StateMetrics, gauge, set_by_label

_PRUNE_EVERY_S: Final = 60.0
_SESSIONS: Final = gauge("mft_sessions_open", "Sessions that are open, by the service that opened them.", "service")


def _measure_sessions(connection: sa.Connection, now: int) -> None:
    set_by_label(_SESSIONS, count_by_service(connection, now), [route.service for route in ROUTES])


@dataclass(frozen=True)
class Service:
    """The gateway, wired. `operations` is the directory for services of this process."""

    settings: Settings
    database: Database
    operations: Operations
    signer: Signer
    outbox: Outbox
    checks: Mapping[str, Callable[[], None]]

    def pages(self) -> Flask:
        """Return the gateway's own pages: internal API, health, metrics."""
        return routes.create(self.operations, self.signer, self.checks, self.settings.internal_port)

    def background_tasks(self, bus: Bus) -> list[BackgroundTask]:
        """Return the tasks of the gateway's worker."""
        return [
            *bus.relay_tasks(self.database, self.outbox),
            *bus.maintenance_tasks(self.database, self.outbox),
            StateMetrics("gateway", self.database, bus, more=[_measure_sessions]).task(),
            periodic_task("sessions.sweep", self.operations.sweep_sessions, every=self.settings.sweep_every),
            periodic_task("counts.prune", self.operations.prune_counts, every=_PRUNE_EVERY_S),
        ]

    def close(self) -> None:
        """Close the database."""
        self.database.close()


@dataclass(frozen=True)
class Configuration:
    """The gateway's part of a configuration file; `basic` names the services that take Basic credentials.

    `origins` goes by service: pages of these origins may call it.
    """

    accounts: tuple[AccountSpec, ...]
    prompt_rules: PromptRules
    basic: frozenset[str] = frozenset()
    origins: Mapping[str, frozenset[str]] = field(default_factory=dict)


def sections_reader(trust: Trust) -> config.ReadSections[Configuration]:
    """Return the function that reads the gateway's part of a configuration.

    A configuration without accounts removes all accounts.
    """

    def read_sections(document: Mapping[str, Any], reader: config.Reader) -> Configuration:
        accounts = read_accounts(document.get("accounts"), reader, trust)
        rules = read_prompt_rules(document.get("data_protector"), reader)
        return Configuration(accounts, rules, read_basic(document), read_origins(document))

    return read_sections


def build(settings: Settings, *, configuration: Configuration | None = None, clock: Clock = now_ms) -> Service:
    """Open the database and bring its tables up to date; apply `configuration` where one is given."""
    logs.show_parameters(name for route in ROUTES for name in route.logged_parameters)
    database = open_database(settings.database_url)
    operations = Operations(
        database,
        clock=clock,
        passwords=Passwords(settings.hash_slots, settings.hash_wait),
        trust=settings.trust,
        fixed_prompt_rules=settings.fixed_prompt_rules,
    )
    if configuration is not None:
        applied = operations.apply_accounts(configuration.accounts)
        logs.get("bootstrap").info(
            "accounts.applied", made=len(applied.made), changed=len(applied.changed), removed=len(applied.removed)
        )
        operations.apply_prompt_rules(configuration.prompt_rules)
        operations.apply_basic(configuration.basic)
        operations.apply_origins(configuration.origins)
    checks = {"database": database.ping}
    return Service(settings, database, operations, Signer(settings.internal_keys), OUTBOX, checks)


def build_with(settings: Settings, document: Mapping[str, Any] | None, reader: config.Reader) -> Service:
    """Build with a configuration that was read already; ConfigError lists every problem, and nothing was changed.

    None changes nothing, because another process applies the configuration. An empty one removes all accounts.
    """
    if document is None:
        return build(settings)
    configuration = sections_reader(settings.trust)(document, reader)
    reader.check()
    return build(settings, configuration=configuration)


def build_from_file(settings: Settings, environ: Mapping[str, str]) -> Service:
    """Build with the configuration file that the settings name, if any; ConfigError lists every problem.

    References of the file to environment variables are resolved in `environ`.
    """
    if settings.config is None:
        return build(settings)
    path = Path(settings.config).absolute()
    return build_with(
        settings, config.load(path, SECTIONS, whole=False), config.Reader(path.parent, environ, demo=settings.demo)
    )
