"""Tell a dispatcher about the managed transfers: which to take, how to run and to stop them (220, 225)."""

import threading
import weakref
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.leases import Lease, LeaseLost
from mft_common.dispatch import Begin, Limits, Runner, StopRequest
from mft_common.process.background_tasks import BackgroundTask, periodic_task
from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.brokers import sharing_brokers
from mqmft_svc.domain.managed import Managed
from mqmft_svc.operations.managed.called import CalledTransfer
from mqmft_svc.operations.managed.child import RUN
from mqmft_svc.operations.managed.order import DESTINATION, SOURCE
from mqmft_svc.operations.managed.owned import OwnedTransfer
from mqmft_svc.operations.managed.process import INTERRUPTED, TransferProcess
from mqmft_svc.schemas.config import Section
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import WORKERS

_AT_ONCE: Final = 32
_LEASE_S: Final = 15.0
_TELL_EVERY_S: Final = 0.5


def agents_of(section: Section, transfer: Managed) -> tuple[Agent, Agent] | None:
    """Return the agents of a transfer as they are configured now; None where one is not."""
    source = section.agents.get(transfer.submission.source_agent.name)
    destination = section.agents.get(transfer.submission.destination_agent.name)
    return None if source is None or destination is None else (source, destination)


def payload_of(section: Section, transfer: Managed, agents: tuple[Agent, Agent], patience_s: float) -> dict[str, Any]:
    """Return what a child gets for a transfer: nothing that its agents do not name."""
    source, destination = agents
    sources = {item.source.type for item in transfer.submission.items}
    destinations = {item.destination.type for item in transfer.submission.items}
    return {
        "transfer_id": transfer.id,
        "token": transfer.token,
        "items": [item.to_json() for item in transfer.submission.items],
        "source": source.root,
        "destination": destination.root,
        "endpoints": section.endpoints.only(source.root, destination.root).to_json(),
        "retry_count": transfer.submission.retry_count,
        "recover": transfer.submission.recovery_timeout != 0,
        "patience_s": patience_s,
        "brokers": {SOURCE: _broker(source, sources), DESTINATION: _broker(destination, destinations)},
        "account": transfer.account,
    }


def _broker(agent: Agent, kinds: Collection[str]) -> dict[str, str]:
    """Return the message broker of an agent, without its URL where no item needs it."""
    return {"agent": agent.name, "qmgr": agent.qmgr, "url": agent.queues if "queue" in kinds else ""}


def recover_lost(database: Database, id_: str, owner: str | None, now: Clock) -> bool:
    """Queue a transfer of a worker that has died, with one retry more; False where another worker was faster."""
    with database.read() as connection:
        transfer = store.find(connection, id_)
    if transfer is None or transfer.owner != owner:
        return False
    try:
        OwnedTransfer(database, transfer, now).recover("the worker of the transfer has died")
    except LeaseLost:
        return False
    return True


class ManagedWork:
    """The managed transfers, as the work of a dispatcher; `runner` runs them.

    A transfer waits while one of its agents has as many as it takes at once, or is stopped. `patience_s` is how long
    an endpoint may be silent before the transfer goes into recovery. `lease` is that of the workers, in seconds.
    `private` is a folder for what children may not release yet.
    """

    interrupted = INTERRUPTED

    def __init__(
        self,
        database: Database,
        configuration: ConfigurationFollower[Section],
        runner: Runner,
        *,
        patience_s: float,
        now: Clock,
        lease: float = _LEASE_S,
        private: Path = Path("private"),
    ) -> None:
        # A transfer that is interrupted goes on with the next worker: no end is waited for.
        self.limits = Limits(_AT_ONCE, lease, 0.0)
        self._database = database
        self._configuration = configuration
        self._runner = runner
        self._patience_s = patience_s
        self._now = now
        self._private = private
        # Those that this worker carries out, and the lock to look at them; one that is over is gone with its process.
        self._owned: weakref.WeakSet[OwnedTransfer] = weakref.WeakSet()
        self._lock = threading.Lock()

    def refresh(self, connection: sa.Connection) -> Limits:
        """Look at the configuration; the limits are always the same."""
        self._configuration.refresh(connection)
        return self.limits

    def recover(self, *, exclusive: bool = False, owner: str = "", running: Collection[str] = ()) -> int:
        """Queue the transfers that no worker runs any more, each with one retry more; return how many."""
        return WORKERS.take_over(
            self._database, store.owners, lambda id_, by: recover_lost(self._database, id_, by, self._now),
            exclusive=exclusive, owner=owner, running=running,
        )  # fmt: skip

    def prepare(self) -> None:
        """Do nothing: what dead workers have left is gone on with."""

    def is_waiting(self) -> bool:
        """Return whether a transfer waits."""
        return self._database.query(lambda each: store.any_due(each, self._now()))

    def take(self, lease: Lease, begin: Begin[str]) -> bool:
        """Take the first transfer whose agents have room, and begin it; False where there is none."""
        with self._database.write() as connection:
            store.lock_queue(connection)
            if not WORKERS.is_alive(connection, lease):
                # This worker was frozen since it renewed its lease; it ends with the next try to do so.
                return False
            section = self._configuration.refresh(connection)
            transfer = self._first_with_room(connection, section, lease.owner)
            has_files = transfer is not None and store.has_files(connection, transfer.id)
        if transfer is None:
            return False
        owned = CalledTransfer(self._database, transfer, self._now)
        agents = agents_of(section, transfer)
        if agents is None:
            owned.end("failed", "One of its agents is not configured any more.", left=has_files)
            return True
        if not owned.may_move():
            # A worker or a web process of a former version has queued it.
            return True
        # Of the files the child asks for in pages: a payload has a limit.
        payload = payload_of(section, transfer, agents, self._patience_s)
        payload |= {"files": None, "more": has_files, "confirm_s": lease.ttl / 3, "private": str(self._private)}
        with self._lock:
            self._owned.add(owned)
        process = TransferProcess(self._runner, owned, RUN, payload, lease)
        begin(transfer.id, transfer.request_id, process)
        return True

    def _first_with_room(self, connection: sa.Connection, section: Section, owner: str) -> Managed | None:
        sources, destinations = store.running_of(connection)
        agents, now = section.agents.items(), self._now()
        full_sources = [name for name, one in agents if sources.get(name, 0) >= one.maximum_source_transfers]
        full = [name for name, one in agents if destinations.get(name, 0) >= one.maximum_destination_transfers]
        found = store.next_due(connection, now, full_sources, full, sharing_brokers(section.agents))
        return None if found is None else store.take(connection, found, owner, now)

    def telling(self) -> BackgroundTask:
        """Return the task that tells how the transfers go whose children have nothing to report (226)."""

        def tell() -> None:
            with self._lock:
                running = tuple(self._owned)
            for owned in running:
                owned.tell()

        return periodic_task("progress", tell, every=_TELL_EVERY_S)

    def stop_requests(self, owner: str) -> Mapping[str, StopRequest]:
        """Return the running transfers of a worker that somebody wants to stop."""
        with self._database.read() as connection:
            return {id_: StopRequest(end) for id_, end in store.stop_requests(connection, owner).items()}
