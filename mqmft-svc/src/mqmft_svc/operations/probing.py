"""Probe the agents in turn, each in a child of the worker, and store what was found (184)."""

import secrets
import threading
import time
from typing import Final

from mft_common import clock, logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.leases import Lease, LeaseLost
from mft_common.dispatch import Runner
from mft_common.endpoints.registry import Endpoints
from mft_common.process.runner import Json, PoolFull, TimedHandle
from mqmft_svc.domain.agents import PROBE_EVERY_S, UNREACHABLE, Agent, Status
from mqmft_svc.operations.agent_child import PROBE
from mqmft_svc.schemas.config import Section
from mqmft_svc.store import agents as store
from mqmft_svc.store.tables import LEASES

_LEASE: Final = "agents"
_LEASE_S: Final = 15.0
_CLAIM_EVERY_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.5
_AT_ONCE: Final = 8
# Agents whose last probe got no answer leave the other half of the children to those that answer.
_SILENT_AT_ONCE: Final = 4
_LONGEST_S: Final = 20.0

# An agent and the digest of its definition: with another definition it is another thing to probe.
_Key = tuple[str, str]


class Prober:
    """Probes all agents again and again, `every` so many seconds, while it owns the lease that one worker has.

    A probe that takes longer than `longest` seconds is killed, and its agent is unreachable. Agents that are silent
    hold up the others neither by their number nor by their time.
    """

    def __init__(
        self,
        database: Database,
        configuration: ConfigurationFollower[Section],
        runner: Runner,
        *,
        every: float = PROBE_EVERY_S,
        longest: float = _LONGEST_S,
        now: Clock = clock.now_ms,
    ) -> None:
        self._database = database
        self._configuration = configuration
        self._runner = runner
        self._every = every
        self._longest = longest
        self._now = now
        self._log = logs.get("agents")

    def run(self, stop: threading.Event) -> None:
        """Claim the lease, then probe until `stop`, or until the lease is lost: another worker probes then."""
        owner = secrets.token_hex(16)
        while not stop.is_set():
            with self._database.write() as connection:
                lease = LEASES.claim(connection, _LEASE, owner, _LEASE_S)
            if lease is not None:
                self._probe(stop, lease)
            stop.wait(_CLAIM_EVERY_S)

    def _probe(self, stop: threading.Event, lease: Lease) -> None:
        turn = _Turn(self._runner, self._every, self._longest)
        renewed = time.monotonic()
        try:
            while not stop.wait(_LOOK_EVERY_S):
                with self._database.read() as connection:
                    section = self._configuration.refresh(connection)
                found = turn.step(section, self._now)
                if found or time.monotonic() - renewed > _LEASE_S / 3:
                    renewed = time.monotonic()
                    self._store(lease, found)
        except LeaseLost:
            self._log.warning("agents.lease_lost")
        finally:
            turn.end()
        if stop.is_set():
            with self._database.write() as connection:
                LEASES.release(connection, lease)

    def _store(self, lease: Lease, found: dict[_Key, Status]) -> None:
        """Store findings and renew the lease in one transaction; LeaseLost where it is another's by now."""
        with self._database.write() as connection:
            LEASES.hold(connection, lease)
            LEASES.renew(connection, lease)
            before = store.fetch(connection)
            for (name, definition), status in found.items():
                store.update(connection, name, definition, status)
        for (name, definition), status in found.items():
            known, former = before.get(name, ("", None))
            if former is not None and known == definition and former.finding != status.finding:
                self._log.info("agent.changed", agent=name, state=status.finding, detail=status.detail)


class _Turn:
    """The probes of one owner of the lease: when each agent is due, and those that are under way."""

    def __init__(self, runner: Runner, every: float, longest: float) -> None:
        self._runner = runner
        self._every = every
        self._longest = longest
        self._due: dict[_Key, float] = {}
        self._begun: dict[_Key, TimedHandle] = {}
        self._silent: set[_Key] = set()

    def step(self, section: Section, now: Clock) -> dict[_Key, Status]:
        """Return what the probes that have ended by now have found, and begin those that are due."""
        agents = {(agent.name, agent.definition): agent for agent in section.agents.values()}
        found = {key: status for key in list(self._begun) if (status := self._ended(key, now)) is not None}
        self._due = {key: self._due.get(key, float("-inf")) for key in agents}
        self._silent &= agents.keys()
        for key in self._chosen(time.monotonic()):
            self._begin(key, agents[key], section.endpoints)
        return found

    def _chosen(self, now: float) -> list[_Key]:
        """Return the agents to probe now, those that have waited longest first."""
        due = sorted((at, key) for key, at in self._due.items() if at <= now and key not in self._begun)
        room = _AT_ONCE - len(self._begun)
        room_of_silent = _SILENT_AT_ONCE - len(self._silent & self._begun.keys())
        chosen: list[_Key] = []
        for _, key in due:
            if len(chosen) == room:
                break
            if key in self._silent:
                if room_of_silent == 0:
                    continue
                room_of_silent -= 1
            chosen.append(key)
        return chosen

    def _begin(self, key: _Key, agent: Agent, endpoints: Endpoints) -> None:
        payload = {"root": agent.root, "endpoints": endpoints.only(agent.root).to_json()}
        try:
            handle = self._runner.run(PROBE, payload, _ignore)
        except PoolFull:
            # It stays due.
            return
        self._begun[key] = TimedHandle(handle, self._longest)
        self._due[key] = time.monotonic() + self._every

    def _ended(self, key: _Key, now: Clock) -> Status | None:
        """Return what a probe has found; None while it runs, and where its process failed."""
        child = self._begun[key]
        was_overdue = child.overdue
        end = child.poll()
        if child.overdue and not was_overdue:
            self._silent.add(key)
            return Status(UNREACHABLE, now(), f"it did not answer within {self._longest:g} s")
        if end is None:
            return None
        del self._begun[key]
        if was_overdue:
            return None
        self._silent.discard(key)
        if not end.completed:
            logs.get("agents").error("probe.failed", agent=key[0], reason=end.reason)
            return None
        return Status(end.result["finding"], now(), end.result["detail"])

    def end(self) -> None:
        """Kill the probes that are under way."""
        for child in self._begun.values():
            child.kill()


def _ignore(_kind: str, _data: Json) -> None:
    """Ignore a message: a probe sends none but its end."""
