"""Reach the record of transfers in the database of mqmft-svc, as an operator with all rights."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from crossdock import databases, environment
from crossdock.coordination import applied_qmgr
from crossdock.errors import Refused
from mft_common import clock, logs
from mft_common.database import Database
from mft_common.ids import TransferIds, new_request_id
from mqmft_svc import SERVICE
from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.callers import Caller
from mqmft_svc.domain.managed import Schedule
from mqmft_svc.domain.transfers import Item, Transfer
from mqmft_svc.errors import NoSuchAgent, NoSuchTransfer, RestError
from mqmft_svc.operations.accepting import Acceptor
from mqmft_svc.operations.availability import Availability
from mqmft_svc.operations.recording import Recorder
from mqmft_svc.operations.scheduling import Scheduling
from mqmft_svc.operations.submitting import Submitting
from mqmft_svc.schemas.config import declared_agents, declared_timezone, declared_transfers
from mqmft_svc.schemas.submissions import submission
from mqmft_svc.settings import Settings
from mqmft_svc.store import schedules
from mqmft_svc.store import transfers as store
from mqmft_svc.store.tables import APPLIED
from mqmft_svc.store.transfers import Filter

_DATABASE: Final = "MQMFT_DATABASE_URL"
_CALLER: Final = Caller(user="system", roles=("MFTWebAdmin",), mechanism="noSecurity")
# An end of an id that has fewer characters is too likely to be that of several.
_SHORTEST_END: Final = 6


@contextmanager
def opened(data: Path, environ: Mapping[str, str]) -> Iterator["Access"]:
    """Open the database of the hub on a data folder, or the one that the environment names; CannotStart, Refused."""
    # The lines of the operations would stand between those that a script reads.
    logs.configure("crossdock", "warning")
    settings = Settings.from_env({**environ, **environment.database_urls(data, environ)})
    with databases.opened(SERVICE, _DATABASE, data, environ) as database:
        try:
            yield Access(database, settings)
        except RestError as error:
            raise Refused(str(error)) from error


@dataclass(frozen=True)
class Access:
    """The record of one hub, and its managed transfers; RestError says why something cannot be done."""

    database: Database
    settings: Settings

    def transfers(self, matching: Filter, *, limit: int, after: str | None) -> Sequence[Transfer]:
        """Return transfers, the newest first; with the id `after` those that follow that one."""
        with self.database.read() as connection:
            # What a list calls the next page lies before this one in time.
            before = None if after is None else _found(connection, after)
            return store.newest(connection, limit, matching, before=before, brief=False)

    def transfer(self, id_: str) -> tuple[Transfer, Sequence[Item]]:
        """Return a transfer by its id, or by an end of it that no other id has, and its items."""
        with self.database.read() as connection:
            record = _found(connection, id_)
            return record, store.items(connection, [record.arrival])[record.arrival]

    def record(self, id_: str) -> Transfer:
        """Return a transfer by its whole id."""
        with self.database.read() as connection:
            record = store.find(connection, id_)
        if record is None:
            raise NoSuchTransfer(id=id_)
        return record

    def size(self, record: Transfer) -> int | None:
        """Return the bytes of all files of a transfer, None while they are not known."""
        with self.database.read() as connection:
            items = store.items(connection, [record.arrival])[record.arrival]
        sizes = [one.leaves.get("source.size") for one in items]
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == record.files else None

    def qmgr_of(self, agent: str) -> str:
        """Return the queue manager of an agent; NoSuchAgent."""
        with self.database.read() as connection:
            found = _agents(connection).get(agent.upper())
        if found is None:
            raise NoSuchAgent(name=agent.upper(), where="")
        return found.qmgr

    def templates(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the bodies of the transfers that the configuration in force names, by their names."""
        with self.database.read() as connection:
            _, document, _ = APPLIED.fetch(connection)
        return declared_transfers(document)

    def template(self, name: str) -> Mapping[str, Any]:
        """Return the body of a transfer that the configuration in force names."""
        found = self.templates().get(name)
        if found is None:
            raise Refused(f"crossdock.yaml has no transfer {name!r}; `crossdock transfer templates` lists those it has")
        return found

    def submit(self, body: Mapping[str, Any]) -> str:
        """Accept the transfer that the body of a `POST transfer` asks for; it is on disk when this returns its id."""
        wanted = submission(body)
        with logs.request_scope(new_request_id()):
            return self._submitting().submit(wanted, _CALLER)

    def cancel(self, id_: str) -> None:
        """Take a managed transfer back before it began, or have its worker stop it."""
        with self.database.read() as connection:
            found = _found(connection, id_)
        self._submitting().cancel(found.id)

    def schedules(self) -> Sequence[tuple[Schedule, int | None]]:
        """Return the schedules that are not over, each with its next time; the next one to run comes first."""
        with self.database.read() as connection:
            return schedules.fetch(connection)

    def delete_schedule(self, id_: str) -> None:
        """Remove a schedule by its id, or by an end of it that no other id has."""
        key = id_.upper()
        found = [one.id for one, _ in self.schedules() if one.id == key or one.id.endswith(key)]
        if len(key) < _SHORTEST_END or not found:
            raise Refused(f"no schedule has the id {id_}, or an end of it of {_SHORTEST_END} digits or more")
        if len(found) > 1:
            raise Refused(f"several schedules have ids that end with {key}: write more of it")
        if not self._scheduling().delete(found[0]):
            raise Refused(f"the schedule {found[0]} has ended meanwhile")

    def _submitting(self) -> Submitting:
        with self.database.read() as connection:
            availability = Availability(self.settings.enabled, applied_qmgr(self.settings)(connection))
        return Submitting(
            self.database,
            availability,
            self._acceptor(),
            self._scheduling(),
            now=clock.now_ms,
            call_hosts=self.settings.call_hosts,
        )

    def _scheduling(self) -> Scheduling:
        return Scheduling(self.database, self._acceptor(), _zone, most=self.settings.max_schedules, now=clock.now_ms)

    def _acceptor(self) -> Acceptor:
        return Acceptor(
            Recorder(self.database, self.settings, applied_qmgr(self.settings)),
            _agents,
            ids=TransferIds(self.settings.transfer_id_prefix),
            host=socket.gethostname(),
            now=clock.now_ms,
        )


def _zone(connection: sa.Connection) -> str:
    """Return the hub's time zone in the configuration that is in force."""
    _, document, _ = APPLIED.fetch(connection)
    return declared_timezone(document)


def _agents(connection: sa.Connection) -> dict[str, Agent]:
    """Return the agents of the configuration that is in force."""
    _, document, _ = APPLIED.fetch(connection)
    return {one.name: one for one in declared_agents(document)}


def _found(connection: sa.Connection, id_: str) -> Transfer:
    key = id_.upper()
    if not key.isascii() or not key.isalnum():
        raise NoSuchTransfer(id=id_)
    if found := store.find(connection, key):
        return found
    if len(key) < _SHORTEST_END:
        raise Refused(f"{id_!r} is neither an id nor an end of one: that has at least {_SHORTEST_END} digits")
    ending = store.ending(connection, key, 2)
    if not ending:
        raise NoSuchTransfer(id=id_)
    if len(ending) > 1:
        raise Refused(f"several transfers have ids that end with {key}: write more of it")
    return ending[0]
