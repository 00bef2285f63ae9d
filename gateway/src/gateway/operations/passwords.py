"""Hash passwords and answers, a bounded number at once, and take as long for unknown names as for known ones."""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.domain import LONGEST_TEXT
from gateway.errors import Busy

# OWASP's parameters for argon2id: 19 MiB, two passes, one lane.
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1


class Passwords:
    """argon2id, with at most `slots` hashes at once: each takes 19 MiB, and more than there are cores gain nothing.

    `wait` is how many seconds a login waits for a slot before Busy is raised. Only tests, which hash by the hundred,
    take less memory.
    """

    def __init__(self, slots: int | None = None, wait: float = 10.0, *, memory_kib: int = _MEMORY_KIB) -> None:
        self.slots = slots or max(2, os.cpu_count() or 2)
        self._free = threading.BoundedSemaphore(self.slots)
        self._wait = wait
        self._hasher = argon2.PasswordHasher(time_cost=_PASSES, memory_cost=memory_kib, parallelism=_LANES)
        # Passwords of unknown names are compared with the hash of a password that is forgotten at once.
        self._dummy_hash = self._hasher.hash(os.urandom(16))

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the slots for the block; Busy when none becomes free in time."""
        if not self._free.acquire(timeout=self._wait):
            raise Busy("too many logins at once")
        try:
            yield
        finally:
            self._free.release()

    def hash(self, text: str) -> str:
        """Return a new hash of `text`."""
        return self._hasher.hash(text.encode())

    def matches(self, hashed: str | None, text: str) -> bool:
        """True when `hashed` is a hash of `text`. Without a hash it is False, after the same time."""
        raw = text.encode("utf-8", "surrogatepass")
        hashed = hashed if len(raw) <= LONGEST_TEXT else None
        try:
            self._hasher.verify(hashed or self._dummy_hash, raw[:LONGEST_TEXT])
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None

    def outdated(self, hashed: str) -> bool:
        """True when a hash was made with other parameters than the current ones."""
        return self._hasher.check_needs_rehash(hashed)
