"""Describe an upload or a download as the transfer that it is, in the events that all services understand."""

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import Any

from mft_common.events.catalogue.files import FileRead, FileStored
from mft_common.events.catalogue.moves import ClientMove, Outcome, WholeDownload, WholeUpload, totals
from mft_common.events.catalogue.transfers import TransferEnded, TransferStarted


@dataclass(eq=False, kw_only=True)
class Move(ClientMove):
    """One upload or download while it runs.

    `foreign` ones belong to a transfer that another service tells of. `announced` once the started event is committed,
    `over` once nothing more will be told. `kept` ones outlive their process: a row of their own says whether they are
    open. `lock` is held by whoever commits for it.
    """

    foreign: bool
    request_id: str
    announced: bool = False
    over: bool = False
    kept: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def whole(self, told: FileStored | FileRead, outcome: Outcome) -> WholeUpload | WholeDownload | None:
        """Return the one event that tells of the file, of the begin and of the end.

        None where there is none: of a transfer of which something was told before, that failed, or moved only a part.
        """
        if self.foreign or self.announced or self.kept or outcome.reason or outcome.bytes_sent != told.size:
            return None
        if outcome.sha256 != told.sha256 or outcome.modified_at is None:
            return None
        values: dict[str, Any] = {
            "transfer_id": self.transfer_id,
            "account": self.account,
            "address": self.address,
            "label": self.label,
            "path": told.path,
            "fileset": told.fileset,
            "size": told.size,
            "sha256": told.sha256,
            "datatype": told.datatype,
            "correlation_id": told.correlation_id,
            "submitted_at": self.submitted_at,
            "modified_at": outcome.modified_at,
            "ended_at": outcome.at,
        }
        if isinstance(told, FileStored):
            return WholeUpload(**values, source=self.source, if_exists=self.if_exists, replaced=told.replaced)
        return WholeDownload(**values)


def broken_off(started: TransferStarted, reason: str, at: int) -> TransferEnded:
    """Return the end of a transfer of which only its begin is known."""
    items = tuple(dataclasses.replace(item, state="failed", description=reason) for item in started.items or ())
    return TransferEnded(
        **_head(started),
        state="failed",
        description=reason,
        totals=totals(failed=True, bytes_sent=0),
        ended_at=max(at, started.submitted_at),
        items=items,
    )


def _head(started: TransferStarted) -> dict[str, Any]:
    kept = ("transfer_id", "protocol", "began_at", "source_agent", "destination_agent", "originator", "submitted_at")
    return {name: getattr(started, name) for name in (*kept, "job_name", "user_properties")}
