"""Move the messages of a queue into a file (229)."""

import base64
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Exists, Interrupted, NotFound, TransferError
from mft_common.queues.settings import BrokerAway
from mft_common.transfer import Copied, Moved, commit_proof
from mqmft_svc.domain.managed_files import TAKEN, ManagedFile
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.managed.moving import Work
from mqmft_svc.operations.managed.order import SOURCE, Order
from mqmft_svc.operations.managed.problems import sentence_of
from mqmft_svc.operations.managed.queues.discarding import discard
from mqmft_svc.operations.managed.queues.queue_move import QueueMove
from mqmft_svc.operations.managed.queues.source import MOST_MESSAGES, QueueSource

# The broker may need three heartbeats to learn that a connection is lost.
_HEARTBEATS: Final = 3
# A connection that is closed gives back at once what it had.
_SOON_S: Final = 1.0
_KEPT: Final = "Its messages are still in the queue:"


class Take(QueueMove):
    """Messages on their way into a file.

    The checkpoint of a file that is whole has the digests of its messages: when they come again after a crash they are
    known, and are removed from the queue instead of being written once more.
    """

    def __init__(self, work: Work, order: Order, item: ItemRequest, file: ManagedFile) -> None:
        super().__init__(work, order, item, file, None, side=SOURCE, name=file.source)
        self._has_answered = self._has_answered or file.delivered
        self._taken = _taken_of(file.checkpoint)
        self._source = QueueSource(
            self._settings, item.source, work.trying.stop, private=Path(order.private), md5=item.checksum == "md5",
            again=self._has_answered,
        )  # fmt: skip

    def run(self) -> None:
        """Move the messages; what is not acknowledged at the end is in the queue again."""
        with closing(self._source):
            super().run()

    def _find_entry(self) -> Entry:
        return Entry(self._settings.queue)

    def _check_destination(self, entry: Entry) -> None:
        """Raise NotRegular for a link (217), and Exists before a message is taken (221); make the missing folder."""
        del entry
        destination, path = self._work.destination, self._file.destination
        keeps = self._item.destination.if_exists == "error"
        if keeps or destination.endpoint.features.folders:
            with suppress(NotFound):
                found = destination.look(path)
                if keeps and found.kind == "file":
                    raise Exists(f"{path}: exists already")
        destination.make_folder_of(path)

    def _ends(self) -> tuple[Endpoint, Endpoint]:
        return self._source, self._work.destination.endpoint

    def _look_for_source(self, entry: Entry) -> None:
        """Do nothing: a queue that is missing is named by its error."""

    def _sealed(self, copied: Copied) -> None:
        super()._sealed(copied)
        self._taken = self._source.taken().identities
        assert self._proof is not None
        self._proof = {**self._proof, TAKEN: base64.b64encode(self._taken).decode()}

    def _values(self, copied: Copied | Moved) -> dict[str, Any]:
        """Return what the record has of the file and of the bodies of its messages."""
        taken = self._source.taken()
        values = super()._values(copied) | {"size": taken.bodies.size, "bytes_done": taken.bodies.size}
        if self._item.checksum == "md5":
            values |= {"source_md5": taken.bodies.md5, "source_sha256": taken.bodies.sha256}
        return values | {"message_count": taken.count}

    def _finish_source(self) -> None:
        """Acknowledge the messages, where the delivered file is durable; else a warning says why not."""
        if self._source.taken().is_cut:
            self._warn(f"The queue has more messages: a file takes {MOST_MESSAGES} of them.")
        entry = self._delivered
        if entry is None:
            self._warn(f"{_KEPT} the delivered file may not survive a crash of its system.")
            return
        checkpoint = {commit_proof.ENTRY: asdict(entry), TAKEN: base64.b64encode(self._taken).decode()}
        self._file = self._file.changed(temporary="", checkpoint=checkpoint)
        self._work.reports.delivered(self._file)
        try:
            self._acknowledge()
        except Interrupted:
            raise
        except TransferError as error:
            self._warn(f"{_KEPT} {sentence_of(error)}")

    def _acknowledge(self) -> None:
        within = min(_HEARTBEATS * self._settings.heartbeat, self._order.patience_s)
        if self._source.holds:
            # Whether they were removed shows when they come again, or do not.
            with suppress(BrokerAway):
                if self._source.settle():
                    return
                within = _SOON_S
            self._source.close()
        stop = self._work.trying.stop
        self._work.trying.call(lambda: discard(self._settings, self._taken, stop, within))


def _taken_of(checkpoint: Mapping[str, Any] | None) -> bytes:
    return b"" if checkpoint is None else base64.b64decode(checkpoint.get(TAKEN, ""))
