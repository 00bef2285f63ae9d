"""Make the ids that more than one service names things by."""

import os
import random
import secrets
import threading
import time

_PREFIX_BYTES = 16
# 2020-01-01: with 51 bits of microseconds counted from here the ids grow until the year 2091.
_EPOCH_US = 1_577_836_800_000_000
_TAG_BITS = 13
# These ids are no secrets, they only have to differ: the system's own random numbers cost a call of it each.
_numbers = random.Random()  # noqa: S311 -- they have to differ, not to be unguessable
os.register_at_fork(after_in_child=_numbers.seed)


class TransferIds:
    """Makes transfer ids: 48 upper-case hex digits.

    The first 16 bytes are `prefix`, padded with blanks. The last 8 grow with time and never repeat: microseconds,
    which this process never uses twice, above a tag that this process drew at its start, so that two processes that
    ask in the same microsecond differ.
    """

    def __init__(self, prefix: str) -> None:
        raw = prefix.encode("ascii")
        if len(raw) > _PREFIX_BYTES:
            raise ValueError(f"a transfer id's prefix has at most {_PREFIX_BYTES} characters: {prefix!r}")
        self._prefix = raw.ljust(_PREFIX_BYTES).hex().upper()
        self._tag = secrets.randbits(_TAG_BITS)
        self._last = 0
        self._lock = threading.Lock()

    def new(self) -> str:
        """Return an id that nobody has had before."""
        now = time.time_ns() // 1000 - _EPOCH_US
        with self._lock:
            self._last = max(now, self._last + 1)
            number = (self._last << _TAG_BITS) | self._tag
        return f"{self._prefix}{number:016X}"


def new_request_id() -> str:
    """Return 32 random hex digits: the id that a request keeps through services, events and workers."""
    return f"{_numbers.getrandbits(128):032x}"


def new_event_id() -> str:
    """Return 32 random hex digits: an event's id."""
    return f"{_numbers.getrandbits(128):032x}"
