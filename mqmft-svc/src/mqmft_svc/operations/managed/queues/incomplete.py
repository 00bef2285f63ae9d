"""Mark a group of messages whose file broke off, so that no reader waits for the rest of it (228)."""

import threading
from typing import Any, Final

from mft_common.endpoints.errors import TransferError
from mft_common.queues.connection import QueueConnection
from mft_common.queues.messages import GROUP, LAST, SEQUENCE, Outgoing
from mft_common.queues.settings import QueueSettings

INCOMPLETE: Final = "crossdock-incomplete"


class BrokenOff(TransferError):  # noqa: N818 -- a condition, as in mft_common.endpoints.errors
    """A part of the file is in the queue, and the rest does not come: there is no other try."""


def mark_incomplete(settings: QueueSettings, group: str, number: int | None = None) -> None:
    """Put the last message of a group that is not complete into the queue; TransferError.

    `number` is its place in the group, None where that is not known.
    """
    headers: dict[str, Any] = {GROUP: group, LAST: True, INCOMPLETE: True}
    if number is not None:
        headers[SEQUENCE] = number
    with QueueConnection(settings, "confirms", threading.Event()) as connection:
        connection.confirm([Outgoing(f"{group[:-8]}FFFFFFFF", b"", headers)])
