"""Create, list and delete the resource monitors of a hub, in the database of mqmft-svc, as an operator."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from crossdock import databases, environment
from crossdock.coordination import applied_qmgr
from crossdock.errors import Refused
from crossdock.jobs.printing import table
from mft_common import clock, logs
from mft_common.database import Database
from mqmft_svc import SERVICE
from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.callers import Caller
from mqmft_svc.errors import RestError
from mqmft_svc.operations.availability import Availability
from mqmft_svc.operations.monitors import Monitors
from mqmft_svc.schemas.attributes import Selection
from mqmft_svc.schemas.config import declared_agents
from mqmft_svc.schemas.monitor_queries import MonitorQuery, Place, list_query, name_of, place_query
from mqmft_svc.settings import Settings
from mqmft_svc.store.tables import APPLIED

_DATABASE: Final = "MQMFT_DATABASE_URL"
_CALLER: Final = Caller(user="system", roles=("MFTWebAdmin",), mechanism="noSecurity")
_HEAD: Final = ("NAME", "AGENT", "TYPE", "STATE", "CONDITION", "PATTERN", "RESOURCE", "EVERY")


@dataclass(frozen=True)
class Access:
    """The monitors of one hub; RestError says why something cannot be done."""

    monitors: Monitors
    settings: Settings

    def list_monitors(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the whole documents of the monitors that match the filters of the REST API."""
        query = list_query([*filters.items()], self.settings)
        everything = MonitorQuery(**{**vars(query), "selection": Selection(everything=True)})
        return self.monitors.list_monitors(everything)

    def create(self, body: Mapping[str, Any]) -> str:
        """Create the monitor of a body, and return its name."""
        return self.monitors.create(body, _CALLER).name

    def delete(self, name: str, place: Mapping[str, str]) -> None:
        """Delete a monitor."""
        self.monitors.delete(name_of(name), self._place(place))

    def delete_history(self, name: str, place: Mapping[str, str]) -> None:
        """Forget what a monitor has seen."""
        self.monitors.delete_history(name_of(name), self._place(place))

    def _place(self, place: Mapping[str, str]) -> Place:
        return place_query([*place.items()], self.settings)


@contextmanager
def opened(data: Path, environ: Mapping[str, str]) -> Iterator[Access]:
    """Open the database of the hub on a data folder, or the one that the environment names; CannotStart, Refused."""
    # The lines of the operations would stand between those that a script reads.
    logs.configure("crossdock", "warning")
    settings = Settings.from_env({**environ, **environment.database_urls(data, environ)})
    with databases.opened(SERVICE, _DATABASE, data, environ) as database:
        try:
            availability = _availability(database, settings)
            hosts, most = settings.call_hosts, settings.max_monitors
            yield Access(Monitors(database, availability, _agents, clock.now_ms, hosts, most=most), settings)
        except RestError as error:
            raise Refused(str(error)) from error


def as_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of `monitor list`."""
    return table(_HEAD, (_row(one) for one in found))


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    condition, general = one["triggerCondition"], one["general"]
    every = f"{general['pollInterval']} {general['pollIntervalUnit']}"
    pattern = condition.get("includePattern", "-")
    resource = one["resource"]["name"]
    return one["name"], one["agentName"], one["type"], one["state"], condition["type"], pattern, resource, every


def _availability(database: Database, settings: Settings) -> Availability:
    with database.read() as connection:
        return Availability(settings.enabled, applied_qmgr(settings)(connection))


def _agents(connection: sa.Connection) -> dict[str, Agent]:
    """Return the agents of the configuration that is in force."""
    _, document, _ = APPLIED.fetch(connection)
    return {one.name: one for one in declared_agents(document)}
