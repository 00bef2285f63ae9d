"""Move a file into a queue (228)."""

import functools
import hashlib
from typing import Any

from mft_common.clock import iso
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import OutcomeUnknown, TransferError
from mft_common.storable_text import storable
from mft_common.transfer import Copied, Moved
from mft_common.transfer.commit_proof import CommitProof
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.managed.moving import Work
from mqmft_svc.operations.managed.order import DESTINATION, SOURCE, Order
from mqmft_svc.operations.managed.queues.incomplete import BrokenOff, mark_incomplete
from mqmft_svc.operations.managed.queues.queue_move import QueueMove
from mqmft_svc.operations.managed.queues.splitting import splitter_of
from mqmft_svc.operations.managed.queues.target import Delivery, QueueTarget

# An id of a message or group has as many digits as one of MQ.
_ID_DIGITS = 48


def group_of(transfer_id: str, position: int) -> str:
    """Return the id of the message or group that a file of a transfer becomes."""
    return hashlib.sha256(f"{transfer_id}/{position}".encode()).hexdigest()[:_ID_DIGITS].upper()


class Put(QueueMove):
    """A file on its way into a queue; the `temporary` of the file is the group that is visible and not complete."""

    def __init__(self, work: Work, order: Order, item: ItemRequest, file: ManagedFile, entry: Entry | None) -> None:
        super().__init__(work, order, item, file, entry, side=DESTINATION, name=file.destination)
        self._group = group_of(order.transfer_id, file.position)
        # What an earlier run has left is no file.
        self._former = []
        self._target: QueueTarget | None = None

    def _was_committed(self) -> bool:
        """Raise where an earlier run was cut off after messages may have become visible: none is sent twice."""
        if CommitProof.of(self._file.checkpoint) is not None:
            raise OutcomeUnknown(
                f"{self._settings.queue}: the transfer was cut off while the messages became visible, and they are not "
                "sent twice"
            )
        if group := self._file.temporary:
            self._work.trying.call(lambda: mark_incomplete(self._settings, group))
            self._file = self._file.changed(temporary="")
            raise BrokenOff("the transfer was cut off after a part of the file was sent")
        return False

    def _check_destination(self, entry: Entry) -> None:
        self._target = QueueTarget(self._settings, self._delivery(entry), self._work.trying.stop)

    def _delivery(self, entry: Entry) -> Delivery:
        wanted = self._item.destination
        return Delivery(
            group=self._group,
            grouped=wanted.delimiter_type != "",
            splitter=functools.partial(splitter_of, wanted),
            headers=self._headers(entry) if wanted.set_mq_properties else {},
            opens=functools.partial(self._work.reports.check_commit, self._file.position, None),
            md5=self._item.checksum == "md5",
        )

    def _headers(self, entry: Entry) -> dict[str, Any]:
        """Return the properties that the agents of IBM MQ MFT set."""
        order, modified_at = self._order, entry.modified_at
        return {
            "WMQFTETransferId": order.transfer_id,
            "WMQFTETransferMode": self._item.mode,
            "WMQFTESourceAgent": order.brokers[SOURCE].agent,
            "WMQFTEDestinationAgent": order.brokers[DESTINATION].agent,
            "WMQFTEFileName": storable(self._file.source),
            "WMQFTEFileSize": entry.size or 0,
            "WMQFTEFileLastModified": "" if modified_at is None else iso(modified_at),
            "WMQFTEFileIndex": self._file.position,
            "WMQFTEMqmdUser": order.account,
        }

    def _ends(self) -> tuple[Endpoint, Endpoint]:
        assert self._target is not None
        return self._work.source.endpoint, self._target

    def _begins(self, temporary: str) -> None:
        if self._began and temporary != self._file.temporary:
            # A group that was marked as incomplete, or is visible from now on: no name that a sweep removes.
            self._file = self._file.changed(temporary=temporary)
            self._work.reports.began(self._file)
            return
        super()._begins(temporary)

    def _values(self, copied: Copied | Moved) -> dict[str, Any]:
        """Return what the record has of the file and of the bodies of its messages."""
        assert self._target is not None
        assert self._target.sent is not None
        sent = self._target.sent
        values = super()._values(copied) | {"delivered_size": sent.bodies.size}
        if self._item.checksum == "md5":
            values |= {"delivered_md5": sent.bodies.md5, "delivered_sha256": sent.bodies.sha256}
        return values | {"message_count": sent.count, "message_id": self._group}

    def _may_recover(self, error: TransferError) -> bool:
        """Note where the commit was not carried out, before another run goes on."""
        may_recover = super()._may_recover(error)
        if may_recover and self._proof is not None and error.heals:
            # The commit was not carried out, which a later run could not know.
            self._proof = None
            self._work.reports.checkpoint(self._file.position, {})
        return may_recover

    def _end(self, file: ManagedFile) -> None:
        """Report the end; a group that could not be marked as incomplete is left to a sweep."""
        if self._file.temporary and file.state == "failed":
            self.left = True
            file = file.changed(temporary=self._file.temporary)
        self._work.reports.ended(file)
