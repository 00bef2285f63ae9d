"""Read the names of queues and how a file is split into messages, as a request states them (158, 167, 168, 227)."""

import re
from typing import Final

# The largest message: each is held in memory as a whole.
MOST_MESSAGE: Final = 64 << 20
# An AMQP name is a short string.
MOST_NAME: Final = 255
_BYTES: Final = re.compile(r"x[0-9A-Fa-f]{2}(?:,x[0-9A-Fa-f]{2})*")
_SIZE: Final = re.compile(r"([0-9]{1,10})([KkMm]?)", re.ASCII)
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20}


def delimiter_bytes(text: str) -> bytes:
    """Return the bytes of a delimiter such as `x0D,x0A`; ValueError."""
    if not _BYTES.fullmatch(text):
        raise ValueError("it must be bytes such as x0A or x0D,x0A.")
    return bytes.fromhex(text.replace("x", "").replace(",", ""))


def piece_size(text: str) -> int:
    """Return the bytes of a size such as `4096`, `10K` or `1M`; ValueError."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("it must be a size such as 4096, 10K or 1M.")
    size = int(match[1]) * _UNITS[match[2].upper()]
    if not 1 <= size <= MOST_MESSAGE:
        raise ValueError(f"it must be between 1 and {MOST_MESSAGE >> 20}M.")
    return size


def queue_of(name: str) -> str:
    """Return the queue of `QUEUE` or `QUEUE@QMGR`."""
    queue, at, _ = name.rpartition("@")
    return queue if at else name


def qmgr_of(name: str) -> str:
    """Return the queue manager of `QUEUE@QMGR` in upper case, "" for `QUEUE`."""
    _, at, qmgr = name.rpartition("@")
    return qmgr.upper() if at else ""


def shown(name: str, qmgr: str) -> str:
    """Return the name of a queue as the record has it: with a queue manager, by default that of its agent."""
    return name if qmgr_of(name) else f"{queue_of(name)}@{qmgr}"
