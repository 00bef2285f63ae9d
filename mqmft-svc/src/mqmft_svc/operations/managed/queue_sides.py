"""Describe the queue of an item for the events of its transfer (91, 92)."""

from mft_common.events import Side
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.queues import delimiter_bytes
from mqmft_svc.domain.submissions import Destination, Source


def queue_side(side: Source | Destination, name: str, file: ManagedFile | None, *, md5: str | None) -> Side:
    """Return a queue as the source or the destination of an item; `file` is None before one was looked for."""
    count = 0 if file is None else file.message_count
    if isinstance(side, Source):
        # What is taken from a queue is gone (229).
        return Side(
            type="queue", name=name, md5=md5, disposition="delete", message_count=count, set_mq_properties=False
        )
    over = file is not None and file.delivered
    return Side(
        type="queue",
        name=name,
        md5=md5,
        message_count=count,
        message_length=file.delivered_size if file is not None and over else 0,
        message_or_group_id=file.message_id if file is not None and over else "",
        delimiter_type=side.delimiter_type,
        delimiter=_delimiter(side),
        delimiter_position=_position(side),
        include_delimiter=side.include_delimiter,
        set_mq_properties=side.set_mq_properties,
    )


def queue_reason(transfer: Managed, file: ManagedFile) -> str:
    """Return why nothing came to a queue or from one, for the description of a transfer that has failed (231)."""
    if file.state == "failed" and transfer.submission.items[file.item].has_queue:
        return file.description.partition(": ")[2]
    return ""


def _delimiter(side: Destination) -> str:
    """Return the size of the pieces as it was asked for, or how many bytes the delimiter has (92)."""
    return str(len(delimiter_bytes(side.delimiter))) if side.delimiter_type == "binary" else side.delimiter


def _position(side: Destination) -> str:
    return side.delimiter_position or "postfix" if side.delimiter_type == "binary" else ""
