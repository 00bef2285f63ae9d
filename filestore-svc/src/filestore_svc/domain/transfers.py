"""Describe uploads and downloads as transfers, in the events that all services understand."""

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import Any

from filestore_svc.domain.client_transfers import (
    ClientTransfer,
    DownloadCompleted,
    Outcome,
    UploadCompleted,
)
from filestore_svc.domain.files import StoredFile
from mft_common.events.catalogue.event import Event
from mft_common.events.catalogue.files import FileStored
from mft_common.events.catalogue.transfers import TransferStarted
from mft_common.events.transfer_builder import TransferEvents, totals_of_one


@dataclass(eq=False, kw_only=True)
class RunningTransfer(ClientTransfer):
    """One upload or download while it runs.

    `external`: the transfer belongs to another service, which reports it. `announced`: its started event is committed.
    `over`: nothing more will be reported. `persistent`: it outlives this process, and a row of its own says whether it
    is open. Commits for the transfer hold `lock`.
    """

    external: bool
    request_id: str
    announced: bool = False
    over: bool = False
    persistent: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def unreported(self) -> bool:
        """Return whether no event of this transfer is committed, and this service reports it."""
        return not (self.external or self.announced or self.persistent)

    def upload_of(self, stored: FileStored, outcome: Outcome) -> UploadCompleted | None:
        """Return the one event for the file, the start and the end; None where they are separate events."""
        if not self.unreported or outcome.bytes_sent != stored.size or outcome.modified_at is None:
            return None
        return UploadCompleted(
            **self._whole(stored, outcome),
            correlation_id=stored.correlation_id,
            modified_at=outcome.modified_at,
            source=self.source,
            if_exists=self.if_exists,
            replaced=stored.replaced,
        )

    def download_of(self, file: StoredFile, outcome: Outcome) -> DownloadCompleted | None:
        """Return the one event of a download; None where not all of the file was sent."""
        if not self.unreported or outcome.bytes_sent != file.size:
            return None
        return DownloadCompleted(
            **self._whole(file, outcome), correlation_id=file.correlation_id or None, modified_at=file.modified_at
        )

    def _whole(self, file: FileStored | StoredFile, outcome: Outcome) -> dict[str, Any]:
        return {
            "transfer_id": self.transfer_id,
            "account": self.account,
            "address": self.address,
            "label": self.label,
            "path": file.path,
            "fileset": file.fileset,
            "size": file.size,
            "sha256": file.sha256,
            "datatype": file.datatype,
            "submitted_at": self.submitted_at,
            "ended_at": outcome.at,
        }


def broken_off(started: TransferStarted, reason: str, at: int) -> list[Event]:
    """Return the ended event of a transfer of which only the started event is known."""
    items = [dataclasses.replace(item, state="failed", description=reason) for item in started.items or ()]
    totals = totals_of_one(failed=True, bytes_sent=0)
    return TransferEvents.of(started).ended("failed", totals, items, at, reason)
