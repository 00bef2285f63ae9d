"""Remove what transfers have left at their destinations, one after another: a task beside the dispatcher."""

import secrets
import threading
import time
from typing import Any, Final

from mft_common import logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.dispatch import Runner
from mft_common.errors import Unavailable
from mft_common.process.runner import MessageTooLarge, PoolFull
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.operations.managed.child import SWEEP
from mqmft_svc.operations.managed.paths import split
from mqmft_svc.operations.managed.work import agents_of, payload_of
from mqmft_svc.schemas.config import Section
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import LEASES

_LOOK_EVERY_S: Final = 0.5
_POLL_S: Final = 0.05
_WITHIN_S: Final = 60.0
_AGAIN_MS: Final = 60_000
_FOR_MS: Final = 86_400_000


class TransferSweeper:
    """Removes unfinished files in children; what cannot be removed is tried again every minute for a day."""

    def __init__(
        self,
        database: Database,
        configuration: ConfigurationFollower[Section],
        runner: Runner,
        *,
        patience_s: float,
        now: Clock,
    ) -> None:
        self._database = database
        self._configuration = configuration
        self._runner = runner
        self._patience_s = patience_s
        self._now = now
        self._owner = secrets.token_hex(16)

    def run(self, stop: threading.Event) -> None:
        """Sweep until `stop`."""
        while not stop.wait(_LOOK_EVERY_S):
            try:
                while self._sweep_one(stop) and not stop.is_set():
                    pass
            except Unavailable as error:
                logs.get("managed").warning("sweeps.waiting", error=str(error))

    def _sweep_one(self, stop: threading.Event) -> bool:
        """Remove what one transfer has left; False where there is none."""
        now = self._now()
        with self._database.read() as connection:
            if store.due_to_leave(connection, now) is None:
                return False
        with self._database.write() as connection:
            section = self._configuration.refresh(connection)
            transfer = store.due_to_leave(connection, now)
            key = "" if transfer is None else f"sweep/{transfer.id}"
            lease = LEASES.claim(connection, key, self._owner, _WITHIN_S * 2) if key else None
            if transfer is None or lease is None:
                return False
            store.update(connection, transfer.id, due_at=now + _AGAIN_MS)
        problem = self._problem(transfer, section, stop)
        since = transfer.submitted_at if transfer.ended_at is None else transfer.ended_at
        # A try that the end of the worker has cut off is none.
        gives_up = problem != "" and now - since > _FOR_MS and not stop.is_set()
        if problem:
            logs.get("managed").warning("transfer.unswept", transfer=transfer.id, problem=problem, gives_up=gives_up)
        with self._database.write() as connection:
            LEASES.forget(connection, key)
            if not problem or gives_up:
                store.update(connection, transfer.id, status="over")
        return True

    def _problem(self, transfer: Managed, section: Section, stop: threading.Event) -> str:
        """Remove the unfinished files of a transfer in a child; return what prevented it, "" for nothing."""
        agents = agents_of(section, transfer)
        if agents is None:
            return "its agents are not configured any more"
        with self._database.read() as connection:
            files = store.files_of(connection, transfer.id)
        payload: dict[str, Any] = {
            **payload_of(section, transfer, agents, self._patience_s),
            "temporaries": [one.temporary for one in files if one.temporary],
            "folders": sorted({split(one.source)[0] for one in files if _may_be_aside(transfer, one)}),
        }
        try:
            handle = self._runner.run(SWEEP, payload, lambda _kind, _data: None)
        except PoolFull:
            return "no process could be started"
        except MessageTooLarge:
            return "the names of what it left have more bytes than a process takes"
        deadline = time.monotonic() + _WITHIN_S
        end = None
        while end is None and time.monotonic() < deadline and not stop.is_set():
            end = handle.wait(_POLL_S)
        if end is None:
            handle.kill()
            return "it was not done in time"
        return str(end.result["problem"]) if end.completed else f"its process {end.reason}"


def _may_be_aside(transfer: Managed, file: ManagedFile) -> bool:
    """Return whether the source of a file may have been moved aside to be deleted, and not be deleted yet."""
    disposition = transfer.submission.items[file.item].source.disposition
    return file.delivered and file.state != "successful" and disposition == "delete"
