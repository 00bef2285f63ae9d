"""Carry out the protocol's operations, and keep the record of transfers."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import sqlalchemy as sa

from mft_common import clock
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.directory import Directory
from mft_common.ids import TransferIds
from mqmft_svc.domain.agents import Agent
from mqmft_svc.operations.accepting import Acceptor
from mqmft_svc.operations.access import Access
from mqmft_svc.operations.agents import Agents
from mqmft_svc.operations.availability import Availability
from mqmft_svc.operations.call_requests import Calls
from mqmft_svc.operations.creators import Creators
from mqmft_svc.operations.monitoring.triggering import Triggering
from mqmft_svc.operations.monitors import Monitors
from mqmft_svc.operations.recording import Recorder
from mqmft_svc.operations.scheduling import Scheduling
from mqmft_svc.operations.submitting import Submitting
from mqmft_svc.operations.transfers import Transfers
from mqmft_svc.settings import Settings


class Operations:
    """The operations of each resource, and the record.

    `coordination_qmgr` is empty where none is named; `agents` are those of the configuration by name. Of `applied_qmgr`
    see Recorder; `applied_agents` and `applied_zone` read the agents and the hub's time zone of the configuration that
    was applied last.
    """

    def __init__(
        self,
        database: Database,
        directory: Directory,
        settings: Settings,
        *,
        coordination_qmgr: str,
        agents: Mapping[str, Agent],
        applied_agents: Callable[[sa.Connection], Mapping[str, Agent]],
        applied_qmgr: Callable[[sa.Connection], str],
        applied_zone: Callable[[sa.Connection], str],
        now: Clock = clock.now_ms,
    ) -> None:
        self.settings = settings
        self.coordination_qmgr = coordination_qmgr
        self.now = now
        self.access = Access(directory, settings)
        self.recorder = Recorder(database, settings, applied_qmgr, now)
        availability = Availability(settings.enabled, coordination_qmgr)
        self.transfers = Transfers(database, availability, reset=settings.cache_reset_on_start)
        self.agents = Agents(database, availability, agents, now)
        ids = TransferIds(settings.transfer_id_prefix)
        acceptor = Acceptor(self.recorder, applied_agents, ids=ids, host=socket.gethostname(), now=now)
        creators = Creators(directory, settings, now)
        self.scheduling = Scheduling(
            database, acceptor, applied_zone, most=settings.max_schedules, now=now, creators=creators
        )
        self.submitting = Submitting(
            database, availability, acceptor, self.scheduling, now=now, call_hosts=settings.call_hosts
        )
        self.calls = Calls(
            database, availability, settings, applied_agents, ids=ids, host=socket.gethostname(), now=now
        )
        self.triggering = Triggering(acceptor, creators, now, Path(settings.data).absolute())
        self.monitors = Monitors(
            database, availability, applied_agents, now, settings.call_hosts, most=settings.max_monitors
        )
