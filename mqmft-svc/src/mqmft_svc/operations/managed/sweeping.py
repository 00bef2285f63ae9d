"""Tell a sweeper what transfers that are over have left: unfinished files, and sources moved aside to be deleted."""

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock
from mft_common.database.sweeps import Claimed
from mft_common.dispatch import RemovalOrder
from mft_common.errors import MftError
from mft_common.process.runner import Json
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.operations.managed.child import SWEEP
from mqmft_svc.operations.managed.paths import split
from mqmft_svc.operations.managed.work import agents_of, payload_of
from mqmft_svc.schemas.config import Section
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import SWEEPS

_FOR_MS: Final = 86_400_000


class TransferRemovals:
    """The leftovers of transfers, as the removals of a sweeper; what cannot be removed for a day is given up.

    Transfers to one agent wait for each other. An endpoint that is silent for `patience_s` does not answer.
    """

    sweeps = SWEEPS
    target = SWEEP

    def __init__(self, configuration: ConfigurationFollower[Section], *, patience_s: float, now: Clock) -> None:
        self._configuration = configuration
        self._patience_s = patience_s
        self._now = now

    def places(self, connection: sa.Connection, keys: Sequence[str]) -> Mapping[str, str]:
        """Return the destination agents of transfers."""
        return store.destinations(connection, keys)

    def order(self, connection: sa.Connection, claimed: Claimed[str]) -> RemovalOrder:
        """Return what the child gets to remove what a transfer has left; MftError."""
        transfer = store.find(connection, claimed.key)
        section = self._configuration.refresh(connection)
        agents = None if transfer is None else agents_of(section, transfer)
        if transfer is None or agents is None:
            raise MftError("its agents are not configured any more")
        temporaries, groups, folders = [], [], set()
        for one in store.each_file(connection, claimed.key):
            if one.temporary and _is_put(transfer, one):
                groups.append([one.destination, one.temporary])
            elif one.temporary:
                temporaries.append(one.temporary)
            if _may_be_aside(transfer, one):
                folders.add(split(one.source)[0])
        has_files = any(item.destination.type != "queue" for item in transfer.submission.items)
        left = {"temporaries": temporaries, "groups": groups, "has_files": has_files, "folders": sorted(folders)}
        return RemovalOrder({**payload_of(section, transfer, agents, self._patience_s), **left})

    def ended(self, connection: sa.Connection, claimed: Claimed[str], problem: str, result: Json) -> bool:
        """Return whether a removal is done, or was tried for long enough."""
        del result
        if not problem:
            return True
        gives_up = store.ended_before(connection, claimed.key, self._now() - _FOR_MS)
        if gives_up:
            logs.get("managed").error("sweep.given_up", transfer=claimed.key, problem=problem)
        return gives_up


def _is_put(transfer: Managed, file: ManagedFile) -> bool:
    """Return whether a file goes into a queue, where what is unfinished is a group of messages."""
    return transfer.submission.items[file.item].destination.type == "queue"


def _may_be_aside(transfer: Managed, file: ManagedFile) -> bool:
    """Return whether the source of a file may have been moved aside to be deleted, and not be deleted yet."""
    disposition = transfer.submission.items[file.item].source.disposition
    return file.delivered and file.state != "successful" and disposition == "delete"
