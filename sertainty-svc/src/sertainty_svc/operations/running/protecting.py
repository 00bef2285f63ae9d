"""AutoProtect: each file becomes a protected file for the holders of an ID (89)."""

import base64
import contextlib
import functools
from pathlib import Path

from mft_common.clock import now_ms
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import TransferError
from mft_common.hpke import Suite
from mft_common.transfer.steps.sealed import Metadata, Seal
from sertainty_svc.domain.ids import Recipient
from sertainty_svc.domain.names import is_name
from sertainty_svc.domain.tasks import SEALED
from sertainty_svc.operations.protection.host_key import HostKey, HostKeyUnusable
from sertainty_svc.operations.protection.opening import check_unchanged, usable_for_protect
from sertainty_svc.operations.running.delivering import Delivery
from sertainty_svc.operations.running.faults import FileFault, TaskFault, sentence_of
from sertainty_svc.operations.running.folders import TaskFolder
from sertainty_svc.operations.running.order import Order
from sertainty_svc.operations.running.unchanged import UnchangedSource


class Protecting:
    """Protects the files of `folder` to the ID of the order; TaskFault where that ID cannot be used."""

    done = "protected"

    def __init__(self, order: Order, folder: TaskFolder) -> None:
        self._contents = id_of(order)
        self._folder = folder
        recipient = self._recipient()
        try:
            # A hub without a key of its own can protect to others.
            with contextlib.suppress(HostKeyUnusable):
                check_unchanged(self._contents, HostKey.load(Path(order.host_key)))
            # A key that is none of its suite shows when it is used.
            _seal(recipient, Metadata("name", 0, None, now_ms()))
        except TransferError as error:
            raise _unusable(error) from error

    def prepare(self, source: UnchangedSource, entry: Entry) -> Delivery:
        """Return the delivery of a file, whose name, size and time are in the protected file alone."""
        del source
        if not is_name(entry.name):
            raise FileFault(f"{entry.path}: the name cannot be restored from a protected file")
        # Of a file of unknown size the metadata could not be written before its content.
        assert entry.size is not None
        metadata = Metadata(entry.name, entry.size, self._folder.mtime_ns(entry), now_ms())
        steps = [functools.partial(_seal, self._recipient(), metadata)]
        return Delivery(path=f"{entry.path}{SEALED}", steps=steps)

    def _recipient(self) -> Recipient:
        """Return the key to protect to, as the rules of the ID allow it now (101)."""
        try:
            return usable_for_protect(self._contents, now_ms())
        except TransferError as error:
            raise _unusable(error) from error


def id_of(order: Order) -> bytes:
    """Return the contents of the ID that the task names; TaskFault where it is not stored."""
    if order.id_contents is None:
        raise TaskFault(f"the ID {order.definition.id_name} does not exist")
    return base64.b64decode(order.id_contents)


def _seal(recipient: Recipient, metadata: Metadata) -> Seal:
    return Seal(recipient.uid, Suite(recipient.suite), recipient.public_key, metadata)


def _unusable(error: TransferError) -> TaskFault:
    return TaskFault(sentence_of(error))
