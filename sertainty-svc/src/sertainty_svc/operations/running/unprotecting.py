"""AutoUnprotect: each protected file becomes the file that it was made of (90)."""

import base64
import functools
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mft_common.clock import now_ms
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import TransferError
from mft_common.transfer.steps.sealed import Head, SealedHeader, Unseal, read_head
from sertainty_svc.domain.ids import IdUnusable, RuleBreached
from sertainty_svc.domain.names import is_name
from sertainty_svc.domain.rules import RuleName
from sertainty_svc.operations.protection.host_key import HostKey, HostKeyUnusable
from sertainty_svc.operations.protection.opening import opener
from sertainty_svc.operations.running.delivering import Delivery
from sertainty_svc.operations.running.faults import FileFault, Later, TaskFault, sentence_of
from sertainty_svc.operations.running.order import Order
from sertainty_svc.operations.running.protecting import id_of
from sertainty_svc.operations.running.reports import Reports
from sertainty_svc.operations.running.unchanged import UnchangedSource


class Unprotecting:
    """Restores protected files by the ID of the order alone, or where it names none by the ID in each file's header."""

    done = "unprotected"

    def __init__(self, order: Order, reports: Reports) -> None:
        self._contents = id_of(order) if order.definition.id_name else None
        self._machine_uuid = order.machine_uuid
        self._reports = reports
        try:
            self._host_key = HostKey.load(Path(order.host_key))
        except HostKeyUnusable as error:
            raise TaskFault(str(error)) from error

    def prepare(self, source: UnchangedSource, entry: Entry) -> Delivery:
        """Return the delivery of a protected file under its original name, with its original time."""
        head = self._head(source, entry)
        if not is_name(head.metadata.name):
            raise FileFault(f"{entry.path}: the original name cannot be that of a file here")
        folder, slash, _ = entry.path.rpartition("/")
        steps = [functools.partial(Unseal, head.open_again)]
        modified_at = head.metadata.modified_at
        return Delivery(path=f"{folder}{slash}{head.metadata.name}", steps=steps, modified_at=modified_at)

    def _head(self, source: UnchangedSource, entry: Entry) -> Head:
        with closing(source.open(entry)) as reader:
            return read_head(reader.read, functools.partial(self._key, entry.path))

    def _key(self, path: str, header: SealedHeader, wrapped: bytes) -> bytes:
        """Return the key of a file; the rules of the ID are checked first (101).

        Of several copies of an ID the first one that opens the file is used; where none does, the first one says why.
        """
        refusal: TransferError | None = None
        for contents in self._ids_of(path, header):
            try:
                return opener(contents, self._host_key, self._machine_uuid, now_ms())(header, wrapped)
            except TransferError as error:
                refusal = refusal or error
        assert refusal is not None
        raise self._explained(path, refusal) from refusal

    def _explained(self, path: str, error: TransferError) -> Exception:
        """Return the refusal of an ID as what it is for the file, or for the task that names the ID."""
        if isinstance(error, RuleBreached) and error.rule is RuleName.SCHEDULE_DENY:
            return Later(f"{path}: waits for the window of its ID ({error.rule})")
        if isinstance(error, IdUnusable) and self._contents is not None:
            return TaskFault(sentence_of(error))
        return error

    def _ids_of(self, path: str, header: SealedHeader) -> Sequence[bytes]:
        if self._contents is not None:
            return [self._contents]
        found = self._reports.find_ids(str(uuid.UUID(bytes=header.uid)))
        if not found:
            raise FileFault(f"{path}: was protected to an ID that is not here")
        return [base64.b64decode(one) for one in found]
