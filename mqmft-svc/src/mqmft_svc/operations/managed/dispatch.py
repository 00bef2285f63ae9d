"""Take managed transfers, run each in a child, and take over those of workers that have died (220, 225)."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.leases import Lease
from mft_common.errors import Unavailable
from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.managed import Managed
from mqmft_svc.operations.managed.child import RUN, SWEEP
from mqmft_svc.operations.managed.owned import OwnedTransfer
from mqmft_svc.operations.managed.process import Runner, TransferProcess
from mqmft_svc.schemas.config import Section
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import LEASES

_LEASE_S: Final = 15.0
_POLL_S: Final = 0.05
_REQUESTS_EVERY_S: Final = 0.2
_ABANDONED_EVERY_S: Final = 1.0
_AT_ONCE: Final = 32
# A child that was asked to stop is killed after this long: a cancelled transfer ends within 5 s (180).
_STOP_WITHIN_S: Final = 3.0
_HAND_BACK_WITHIN_S: Final = 7.5
_KILLED_WITHIN_S: Final = 5.0
_SWEEP_WITHIN_S: Final = 60.0
_SWEEP_AGAIN_MS: Final = 60_000
_SWEEP_FOR_MS: Final = 86_400_000


@dataclass
class _Running:
    """A transfer that runs: its process, the thread that waits for its end, and since when it is asked to stop."""

    owned: OwnedTransfer
    process: TransferProcess
    thread: threading.Thread
    stopped_at: float | None = None


class ManagedTransfers:
    """One worker of managed transfers; any number of workers share a queue, and a lease says who has which transfer.

    A transfer waits while one of its agents has as many as it takes at once. `patience_s` is how long an endpoint may
    be silent before the transfer goes into recovery. `ttl` is that of the leases, in seconds.
    """

    def __init__(
        self,
        database: Database,
        configuration: ConfigurationFollower[Section],
        runner: Runner,
        *,
        patience_s: float,
        ttl: float = _LEASE_S,
        now: Clock = clock.now_ms,
    ) -> None:
        self._database = database
        self._configuration = configuration
        self._runner = runner
        self._patience_s = patience_s
        self._ttl = ttl
        self._now = now
        self._owner = secrets.token_hex(16)
        self._running: dict[str, _Running] = {}
        self._sweep: threading.Thread | None = None
        self._stopped = threading.Event()
        self._renewed = self._asked = self._looked = 0.0
        self._log = logs.get("managed")

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then hand running transfers back, so that another worker goes on with them at once."""
        try:
            while not stop.wait(0 if self._step() else _POLL_S):
                pass
            for one in self._running.values():
                one.process.hand_back()
            self._join(_HAND_BACK_WITHIN_S)
        finally:
            self._stopped.set()
            for one in self._running.values():
                one.process.kill()
            self._join(_KILLED_WITHIN_S)
            if self._sweep is not None:
                self._sweep.join(_KILLED_WITHIN_S)

    def _step(self) -> bool:
        """Do one round; return True where it took a transfer, and then the next round follows at once."""
        try:
            self._look_after_running()
            self._take_over()
            if not self._database.query(lambda each: store.any_due(each, self._now())):
                return False
            if self._sweep is None or not self._sweep.is_alive():
                self._sweep = self._begin_sweep()
            return len(self._running) < _AT_ONCE and self._take()
        except Unavailable as error:
            self._log.warning("managed.waiting", error=str(error))
            return False

    def _look_after_running(self) -> None:
        self._running = {id_: one for id_, one in self._running.items() if one.thread.is_alive()}
        now = time.monotonic()
        if self._running and now - self._renewed > self._ttl / 3:
            self._renewed = now
            self._renew()
        if self._running and now - self._asked > _REQUESTS_EVERY_S:
            self._asked = now
            self._obey_requests(now)

    def _renew(self) -> None:
        """Renew the leases; the child of a transfer whose lease has lapsed is killed: another worker has it."""
        with self._database.write() as connection:
            lost = [one for one in self._running.values() if not LEASES.renew(connection, one.owned.lease)]
        for one in lost:
            one.process.kill()

    def _obey_requests(self, now: float) -> None:
        with self._database.read() as connection:
            stopped = store.stop_requests(connection, list(self._running))
        for id_ in stopped:
            one = self._running[id_]
            if one.stopped_at is None:
                one.stopped_at = now
                one.process.stop()
            elif now - one.stopped_at > _STOP_WITHIN_S:
                one.process.kill()

    def _take_over(self) -> None:
        """Queue the transfers of workers that have died, each with one retry more (225)."""
        now = time.monotonic()
        if now - self._looked < _ABANDONED_EVERY_S:
            return
        self._looked = now
        with self._database.read() as connection:
            abandoned = store.abandoned(connection)
        for id_ in abandoned:
            with self._database.write() as connection:
                lease = store.claim(connection, id_, self._owner, self._ttl)
                transfer = None if lease is None else store.find(connection, id_, lock=True)
                if lease is None:
                    continue
                if transfer is None or transfer.status != "running":
                    store.forget_lease(connection, id_)
                    continue
                files = store.files_of(connection, id_)
            owned = OwnedTransfer(self._database, transfer, lease, files, self._now)
            if transfer.stop:
                owned.end("cancelled", left=True)
            else:
                owned.recover("the worker of the transfer has died")

    def _take(self) -> bool:
        """Take the first transfer whose agents have room."""
        with self._database.write() as connection:
            store.lock_queue(connection)
            section = self._configuration.refresh(connection)
            taken = self._first_with_room(connection, section)
            files = store.files_of(connection, taken[0].id) if taken else []
        if taken is None:
            return False
        transfer, lease = taken
        owned = OwnedTransfer(self._database, transfer, lease, files, self._now)
        agents = _agents(section, transfer)
        if agents is None:
            owned.end("failed", "One of its agents is not configured any more.", left=bool(files))
            return True
        # Of many files the child asks for in pages: a payload has a limit.
        payload = self._payload(transfer, agents, section) | {"files": None, "more": bool(files)}
        process = TransferProcess(self._runner, owned, RUN, payload)
        self._running[transfer.id] = _Running(owned, process, self._start(transfer, process.run))
        return True

    def _first_with_room(self, connection: sa.Connection, section: Section) -> tuple[Managed, Lease] | None:
        sources, destinations = store.running_of(connection)
        now = self._now()
        for transfer in store.due(connection, now):
            agents = _agents(section, transfer)
            if agents is not None and (
                sources.get(agents[0].name, 0) >= agents[0].maximum_source_transfers
                or destinations.get(agents[1].name, 0) >= agents[1].maximum_destination_transfers
            ):
                continue
            lease = store.claim(connection, transfer.id, self._owner, self._ttl)
            if lease is not None:
                began_at = now if transfer.began_at is None else transfer.began_at
                store.update(connection, transfer.id, status="running", began_at=began_at)
                running = store.find(connection, transfer.id)
                assert running is not None
                return running, lease
        return None

    def _payload(self, transfer: Managed, agents: tuple[Agent, Agent], section: Section) -> dict[str, Any]:
        source, destination = agents
        return {
            "transfer_id": transfer.id,
            "token": transfer.token,
            "items": [item.to_json() for item in transfer.submission.items],
            "source": source.root,
            "destination": destination.root,
            "endpoints": section.endpoints.only(source.root, destination.root).to_json(),
            "retry_count": transfer.submission.retry_count,
            "recover": transfer.submission.recovery_timeout != 0,
            "patience_s": self._patience_s,
            "confirm_s": self._ttl / 3,
        }

    def _start(self, transfer: Managed, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            with logs.request_scope(transfer.request_id):
                try:
                    work()
                except Exception:  # noqa: BLE001 -- the thread ends here, and the log is all that can be told
                    self._log.exception("transfer.failed", transfer=transfer.id)

        thread = threading.Thread(target=run, name=f"managed-{transfer.token}", daemon=True)
        thread.start()
        return thread

    def _begin_sweep(self) -> threading.Thread | None:
        """Begin to remove what one ended transfer has left; what cannot be removed is tried again for a day."""
        now = self._now()
        with self._database.read() as connection:
            if store.due_to_leave(connection, now) is None:
                return None
        with self._database.write() as connection:
            section = self._configuration.refresh(connection)
            transfer = store.due_to_leave(connection, now)
            lease = None if transfer is None else store.claim(connection, transfer.id, self._owner, _SWEEP_WITHIN_S * 2)
            if transfer is None or lease is None:
                return None
            store.update(connection, transfer.id, due_at=now + _SWEEP_AGAIN_MS)
            files = store.files_of(connection, transfer.id)
        agents = _agents(section, transfer)
        temporaries = [one.temporary for one in files if one.temporary and not one.over]

        def work() -> None:
            problem = "its agents are not configured any more"
            if agents is not None:
                payload = {
                    **self._payload(transfer, agents, section),
                    "temporaries": temporaries,
                    "sources": sorted({one.source for one in files if one.delivered}),
                }
                problem = self._swept(payload)
            gives_up = problem != "" and now - transfer.submitted_at > _SWEEP_FOR_MS
            if problem:
                self._log.warning("transfer.unswept", transfer=transfer.id, problem=problem, gives_up=gives_up)
            with self._database.write() as connection:
                LEASES.release(connection, lease)
                if not problem or gives_up:
                    store.update(connection, transfer.id, status="over")
                    store.forget_lease(connection, transfer.id)

        return self._start(transfer, work)

    def _swept(self, payload: dict[str, Any]) -> str:
        """Remove temporary files in a child; return the problem, "" for none."""
        handle = self._runner.run(SWEEP, payload, lambda _kind, _data: None)
        deadline = time.monotonic() + _SWEEP_WITHIN_S
        end = None
        while end is None and time.monotonic() < deadline and not self._stopped.is_set():
            end = handle.wait(_POLL_S)
        if end is None:
            handle.kill()
            return "it was not done in time"
        return str(end.result["problem"]) if end.completed else f"its process {end.reason}"

    def _join(self, seconds: float) -> None:
        """Wait for the ends of the running transfers, and keep their leases meanwhile."""
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while any(one.thread.is_alive() for one in self._running.values()) and time.monotonic() < deadline:
            try:
                self._look_after_running()
            except Unavailable:
                self._log.warning("managed.waiting")
            pause.wait(_POLL_S)


def _agents(section: Section, transfer: Managed) -> tuple[Agent, Agent] | None:
    """Return the agents of a transfer as they are configured now; None where one is not."""
    source = section.agents.get(transfer.submission.source_agent.name)
    destination = section.agents.get(transfer.submission.destination_agent.name)
    return None if source is None or destination is None else (source, destination)
