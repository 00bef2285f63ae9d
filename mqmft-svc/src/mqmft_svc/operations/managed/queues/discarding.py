"""Remove from a queue the messages of a file that is delivered, after the connection that had them was lost (229)."""

import time
from collections import Counter
from typing import Final

from mft_common.queues.connection import MOST_AT_ONCE, QueueConnection
from mft_common.queues.messages import IDENTITY_BYTES
from mft_common.queues.settings import QueueSettings
from mft_common.transfer import Interrupt

_POLL_S: Final = 0.5
# What has never been taken before lies behind what comes again; so many of these are looked at.
_MOST_FRESH: Final = 1000
_FEW: Final = 50
_SOON_S: Final = 1.0


def discard(settings: QueueSettings, identities: bytes, interrupt: Interrupt, within: float) -> int:
    """Remove the messages with these digests, and return how many there were; TransferError.

    The broker gives them back once it knows that the former connection is lost: they are waited for `within` seconds,
    unless all have come. Those that were removed before do not come. Other messages go back into the queue. A message
    that comes for the first time is another one with the same content, unless it has an id of its own.
    """
    total = 0
    while True:
        found, is_sure = _discard(settings, identities, interrupt, within)
        total += found
        if is_sure or not found:
            return total
        # The messages whose removal was forgotten have come back with the end of the connection.
        within = _SOON_S


def _discard(settings: QueueSettings, identities: bytes, interrupt: Interrupt, within: float) -> tuple[int, bool]:
    steps = range(0, len(identities), IDENTITY_BYTES)
    wanted = Counter(identities[start : start + IDENTITY_BYTES] for start in steps)
    held: list[int] = []
    mine: set[int] = set()
    fresh = 0
    until = time.monotonic() + within
    with QueueConnection(settings, "reading", interrupt) as connection:
        while wanted:
            before = len(held)
            for message in connection.take(MOST_AT_ONCE if fresh < _MOST_FRESH else _FEW):
                held.append(message.tag)
                if wanted[message.identity] > 0 and (message.redelivered or message.is_named):
                    wanted[message.identity] -= 1
                    mine.add(message.tag)
                elif not message.redelivered:
                    fresh += 1
            wanted = +wanted
            if len(held) > before and fresh < _MOST_FRESH:
                continue
            if wanted and (time.monotonic() >= until or interrupt.wait(_POLL_S)):
                break
        return len(mine), not held or connection.settle(held, mine)
