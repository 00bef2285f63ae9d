"""Choose how an item with a queue is moved."""

from mft_common.endpoints.contract import Entry
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.managed.moving import FileMove, Work
from mqmft_svc.operations.managed.order import Order
from mqmft_svc.operations.managed.queues.putting import Put
from mqmft_svc.operations.managed.queues.taking import Take


def queue_move(work: Work, order: Order, item: ItemRequest, file: ManagedFile, entry: Entry | None) -> FileMove:
    """Return the move of a file into a queue, or of messages into a file."""
    if item.source.type == "queue":
        return Take(work, order, item, file)
    return Put(work, order, item, file, entry)
