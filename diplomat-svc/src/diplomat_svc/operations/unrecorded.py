"""Find out, after a crash, whether files were delivered whose delivery is not recorded (E18)."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Final

from mft_common.endpoints.contract import BLOCK, Endpoint, Entry
from mft_common.endpoints.errors import NotFound, TransferError

# How long all files of a job may be read; the start of a worker waits for it.
_LONGEST_S: Final = 6.0
# What stands for bytes of a name that are no UTF-8; with it the name itself is not known.
_UNKNOWN: Final = "\ufffd"


class _TooLongError(Exception):
    """The files are too large to be compared in time."""


def findings(source: Endpoint, target: Endpoint, names: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield what is true of each pair of names, at the source and at the destination, in a sentence for the job's log.

    The content at the destination is compared with that of the source, which stays until a delivery is recorded.
    """
    deadline = time.monotonic() + _LONGEST_S
    for name, delivered in names:
        try:
            yield _finding(source, target, name, delivered, deadline)
        except _TooLongError:
            yield f"{delivered} is at the destination, and too large to be compared with {name} now."
        except TransferError as error:
            yield f"Whether {name} was delivered as {delivered} could not be found out: {error}."


def _finding(source: Endpoint, target: Endpoint, name: str, delivered: str, deadline: float) -> str:
    if _UNKNOWN in name + delivered:
        return f"Whether {name} was delivered could not be found out: its name is not UTF-8."
    try:
        there = target.stat(delivered)
    except NotFound:
        return f"{name} was not delivered: there is no {delivered} at the destination."
    try:
        here = source.stat(name)
    except NotFound:
        return f"{delivered} is at the destination, and {name} is gone, so that the two cannot be compared."
    if None not in (here.size, there.size) and here.size != there.size:
        return _differs(name, delivered)
    digest = _sha256(target, there, deadline)
    if digest != _sha256(source, here, deadline):
        return _differs(name, delivered)
    return f"{name} was delivered as {delivered}: the file is there with the SHA-256 {digest} of its source."


def _differs(name: str, delivered: str) -> str:
    return f"{delivered} at the destination is not {name} as it is: another file, or one that the job's steps changed."


def _sha256(endpoint: Endpoint, entry: Entry, deadline: float) -> str:
    found, reader = hashlib.sha256(), endpoint.open(entry)
    try:
        while block := reader.read(BLOCK):
            found.update(block)
            if time.monotonic() > deadline:
                raise _TooLongError
    finally:
        reader.close()
    return found.hexdigest()
