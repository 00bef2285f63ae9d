"""Digest the bytes of a file as they pass, from any byte on."""

import base64
import functools
import os
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Self

from mft_common.resumable_digests import md5_readable, new_md5, new_sha256, readable, state_of

# Of larger blocks both digests are taken at once, which is worth the change of threads: MD5 takes longer than SHA-256.
_AT_ONCE: Final = 256 << 10
# Blocks of one file that wait for their digests; the steps return no larger ones than 1 MiB.
_BEHIND: Final = 8


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Return the threads that take MD5, made with the first block of this process."""
    return ThreadPoolExecutor(2, thread_name_prefix="md5")


# A child has none of its parent's threads.
os.register_at_fork(after_in_child=_threads.cache_clear)


@dataclass(frozen=True)
class Digest:
    """The size in bytes of what passed, its lower-case SHA-256, and its MD5 where that was asked for."""

    size: int
    sha256: str
    md5: str | None = None


class Digests:
    """SHA-256, and MD5 where asked for, of the first `size` bytes of a file."""

    def __init__(self, *, md5: bool = False) -> None:
        self.size = 0
        self._sha256: Any = new_sha256()
        self._md5: Any = new_md5() if md5 else None

    def update(self, block: bytes) -> None:
        """Digest the next bytes."""
        if self._md5 is None or len(block) < _AT_ONCE:
            self._sha256.update(block)
            if self._md5 is not None:
                self._md5.update(block)
        else:
            other = _threads().submit(self._md5.update, block)
            self._sha256.update(block)
            other.result()
        self.size += len(block)

    def copy(self) -> Self:
        """Return the digests so far, which are continued independently."""
        made = type(self)()
        made.size, made._sha256 = self.size, self._sha256.copy()  # noqa: SLF001 -- of its own class
        made._md5 = None if self._md5 is None else self._md5.copy()  # noqa: SLF001 -- of its own class
        return made

    def result(self) -> Digest:
        """Return the digests of all bytes so far."""
        return Digest(self.size, self._sha256.hexdigest(), None if self._md5 is None else self._md5.hexdigest())

    @property
    def state(self) -> dict[str, str]:
        """The states that another process continues from; empty where that is not possible (no OpenSSL)."""
        states = {"sha256": state_of(self._sha256)}
        if self._md5 is not None:
            states["md5"] = state_of(self._md5)
        if not all(states.values()):
            return {}
        return {name: base64.b64encode(state).decode() for name, state in states.items()}

    @classmethod
    def restored(cls, size: int, state: Mapping[str, str], *, md5: bool = False) -> Self | None:
        """Return the digests of the first `size` bytes from `state`; None where it cannot be continued here."""
        sha256, of_md5 = (base64.b64decode(state.get(name, "")) for name in ("sha256", "md5"))
        if not readable(sha256) or (md5 and not md5_readable(of_md5)):
            return None
        made = cls()
        made.size, made._sha256 = size, new_sha256(sha256)
        made._md5 = new_md5(of_md5) if md5 else None
        return made


class DigestsBehind:
    """Digests of one file that another thread takes while its caller works on with the next blocks.

    Blocks must not be changed afterwards. At most `_BEHIND` of them wait: as many as let the caller work on while the
    system gives its processors to other threads.
    """

    def __init__(self, *, md5: bool = False) -> None:
        self._digests = Digests(md5=md5)
        self._thread: ThreadPoolExecutor | None = None
        self._pending: deque[Future[None]] = deque()

    def update(self, block: bytes) -> None:
        """Digest the next bytes; return before that is done where they are many."""
        if self._thread is None:
            if len(block) < _AT_ONCE:
                self._digests.update(block)
                return
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="digests")
        while len(self._pending) >= _BEHIND:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(self._digests.update, block))

    def result(self) -> Digest:
        """Return the digests of all bytes so far."""
        while self._pending:
            self._pending.popleft().result()
        return self._digests.result()

    def close(self) -> None:
        """End the thread, without the blocks that wait."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
