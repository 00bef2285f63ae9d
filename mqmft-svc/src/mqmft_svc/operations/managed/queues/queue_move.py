"""Declare what a move into a queue and a move out of one have in common."""

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import TransferError
from mft_common.queues.settings import BrokerAway
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.managed.moving import FileMove, Work
from mqmft_svc.operations.managed.order import Order
from mqmft_svc.operations.managed.queues.settings import settings_of


class QueueMove(FileMove):
    """A move of which the end at `side` is the queue `name`."""

    def __init__(
        self,
        work: Work,
        order: Order,
        item: ItemRequest,
        file: ManagedFile,
        entry: Entry | None,
        *,
        side: str,
        name: str,
    ) -> None:
        super().__init__(work, item, file, entry)
        self._order = order
        self._settings = settings_of(order, side, name)
        # Once the broker has answered it is waited for.
        self._has_answered = file.state == "moving"

    def _begins(self, temporary: str) -> None:
        self._has_answered = True
        super()._begins(temporary)

    def _may_recover(self, error: TransferError) -> bool:
        """A broker that has never answered fails the file (231); one that was lost is waited for (225)."""
        return self._has_answered or not isinstance(error, BrokerAway)
