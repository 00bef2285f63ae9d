"""Run the agent: one of the workers holds its lease, stores heartbeats and carries out wishes (section 3)."""

import platform
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from mft_common import VERSION, logs
from mft_common.clock import Clock, now_ms
from mft_common.database import Database
from mft_common.database.leases import Lease, LeaseLost
from mft_common.joblog import Retention, purge_task
from mft_common.process.background_tasks import BackgroundTask
from sertainty_svc import SERVICE
from sertainty_svc.domain.agent import Agent
from sertainty_svc.domain.logs import AGENT_ENTRIES
from sertainty_svc.operations import agenda
from sertainty_svc.store import agent as store
from sertainty_svc.store.logs import Level, append_to_agent, begin
from sertainty_svc.store.tables import AGENT_LOG, LEASES, agent_start

KEY: Final = "agent"
# Another worker takes over before callers find the agent offline: after this time and one look.
LEASE_S: Final = 6.0
_LOOK_EVERY_S: Final = 0.25
# The lease is renewed with each heartbeat (2 s), so that two of them may be late.
_BEATS_A_LEASE: Final = 3
_CLAIM_EVERY_S: Final = 1.0
# A start does not wait longer than this for the end of the executions before it.
_START_WITHIN_S: Final = 10.0
_PURGE_EVERY_S: Final = 3600.0


class AgentWorker:
    """A worker's part of the agent: a candidate for its lease, and the agent's worker while it holds it.

    `now` is the time of the logs and heartbeats (ms); `elapsed` counts seconds, for what is due.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Clock = now_ms,
        lease: float = LEASE_S,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._now = now
        self._ttl = lease
        self._beat_every = lease / _BEATS_A_LEASE
        self._elapsed = elapsed
        self._owner = secrets.token_hex(16)
        self._lease: Lease | None = None
        self._due = 0.0
        # The heartbeats that were counted when this worker began to look.
        self._first_beats: int | None = None
        # The wish that waits for the end of older executions, and since when.
        self._waiting: tuple[int, float] | None = None
        self._log = logs.get("agent")

    @property
    def holds_lease(self) -> bool:
        """Whether this worker is the agent's, as far as it knows."""
        return self._lease is not None

    def background_tasks(self) -> list[BackgroundTask]:
        """Return the tasks of the agent: to run it, and to shorten its logs to their newest entries (10.6)."""
        retention = Retention(count=AGENT_ENTRIES)
        none = sa.select(agent_start.c.name).where(sa.false())
        purge = purge_task(
            f"{SERVICE}-log-purge", self._database, AGENT_LOG, lambda: retention, none, every=_PURGE_EVERY_S
        )
        return [BackgroundTask(f"{SERVICE}-agent", self.run), purge]

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, and then hand the agent over."""
        self.look()
        while not stop.wait(_LOOK_EVERY_S):
            self.look()
        self.hand_over()

    def look(self) -> None:
        """Do what is due: claim the lease, store a heartbeat, carry out a wish."""
        if self._elapsed() >= self._due:
            if self._lease is None:
                self._claim()
            else:
                self.beat()
        if self._lease is not None:
            self._carry_out(self._lease)

    def beat(self) -> None:
        """Renew the lease and store a heartbeat; without the lease this worker is a candidate again."""
        if self._lease is None:
            return
        with self._database.write() as connection:
            held = LEASES.renew(connection, self._lease)
            if held:
                store.beat(connection, self._now())
        if not held:
            self._lose()
        self._due = self._elapsed() + self._beat_every

    def hand_over(self) -> None:
        """Give the lease back, so that another worker goes on with the agent at once, without a start."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        with self._database.write() as connection:
            if not LEASES.release(connection, lease):
                return
            agent = store.lock(connection)
            # A candidate that began to look before this sees one more.
            store.beat(connection, self._now())
            if agent.running:
                self._append(connection, agent, "agent.worker_stopped", "The agent's worker stops.")

    def _claim(self) -> None:
        self._due = self._elapsed() + _CLAIM_EVERY_S
        if self._first_beats is None:
            self._first_beats = self._database.query(store.find).beats
        with self._database.read() as connection:
            former = LEASES.owner(connection, KEY)
            if former is not None and KEY not in LEASES.lapsed(connection, KEY):
                return
        with self._database.write() as connection:
            lease = LEASES.claim(connection, KEY, self._owner, self._ttl)
            if lease is None:
                return
            agent = store.lock(connection)
            store.beat(connection, self._now())
            # No worker has run the agent since this one is there: the service starts, and the agent with it (74).
            if agent.running and agent.beats == self._first_beats:
                self._begin(connection, agent)
            elif agent.running and former is not None:
                text = "The agent's worker gave no sign of life; another one goes on."
                self._append(connection, agent, "agent.worker_lost", text, level="Warning")
        self._lease = lease
        self._due = self._elapsed() + self._beat_every
        self._log.info("agent.claimed", fence=lease.fence)

    def _carry_out(self, lease: Lease) -> None:
        """Carry out the wishes since the last time; executions that they end are over before."""
        seen = self._database.query_cached("agent", store.find)
        if not seen.pending or self._has_to_wait(seen):
            return
        try:
            with self._database.write() as connection:
                LEASES.hold(connection, lease)
                agent = store.lock(connection)
                # A wish that came meanwhile may end executions too.
                if agent.wish == seen.wish:
                    self._take_up(connection, agent)
        except LeaseLost:
            self._lose()

    def _has_to_wait(self, agent: Agent) -> bool:
        """Return whether executions still run that the wishes end; a start is kept waiting for a limited time."""
        if not self._database.query(lambda connection: store.has_older_executions(connection, agent.epoch)):
            return False
        if self._waiting is None or self._waiting[0] != agent.wish:
            self._waiting = agent.wish, self._elapsed()
        return not agent.running or self._elapsed() - self._waiting[1] < _START_WITHIN_S

    def _take_up(self, connection: sa.Connection, agent: Agent) -> None:
        if agent.started:
            self._append(connection, agent, "agent.stopped", "The agent has stopped.")
        if agent.running:
            self._begin(connection, agent)
        else:
            store.update(connection, started=False, taken_up=agent.wish)

    def _begin(self, connection: sa.Connection, agent: Agent) -> None:
        """Begin a log, and let the agent run."""
        begin(connection, self._now(), host=platform.node(), version=VERSION)
        store.update(connection, started=True, taken_up=agent.wish)
        self._append(connection, agent, "agent.started", "The agent has started.")
        agenda.sync(connection, self._now())

    def _append(self, connection: sa.Connection, agent: Agent, event: str, text: str, *, level: Level = "Info") -> None:
        """Append an entry to the agent's log, with the caller where a wish is its cause."""
        user, address = (agent.user, agent.address) if agent.pending else ("", "")
        append_to_agent(connection, self._now(), event, text, level=level, user=user, address=address)

    def _lose(self) -> None:
        self._lease = None
        self._log.warning("agent.lost")
