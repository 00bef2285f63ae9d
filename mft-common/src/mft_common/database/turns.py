"""Let the writers of a SQLite database take turns: SQLite itself would poll for its lock with ever longer pauses."""

import contextlib
import errno
import fcntl
import os
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Final

from mft_common.errors import Unavailable

_LOOK_AGAIN_S: Final = 0.0005
# Errors of a lock that may end by waiting, with the reason that is given where they do not end in time.
_WAITING: Final = {
    errno.EWOULDBLOCK: "the database is busy",
    errno.ENOLCK: "the database is busy: the system has no lock left for its writers (ENOLCK)",
}


class Turns:
    """The turns of all processes that write to the database in the file `path`, one transaction at a time.

    Of the threads of a process one waits for the other processes, with short pauses, and the rest wait for that one. A
    process that dies gives its turn up. No write depends on it: SQLite has its own lock. Where the file of the turns
    cannot be made (a full disk, a folder that is gone) a writer goes on without one, to SQLite's own answer.
    """

    def __init__(self, path: str, within: float) -> None:
        self._path = f"{path}.turns"
        self._within = within
        self._lock = threading.Lock()
        self._descriptor = -1
        _ALL.add(self)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this thread's turn and hold it for the block; Unavailable where it does not come in time."""
        deadline = time.monotonic() + self._within
        if not self._lock.acquire(timeout=self._within):
            raise Unavailable("the database is busy")
        try:
            self._wait(deadline)
            try:
                yield
            finally:
                if self._descriptor >= 0:
                    fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the file; a later turn opens it again."""
        with self._lock:
            self._close()

    def forked(self) -> None:
        """Give up what the parent has: the lock, whose thread is not here, and the file, with which it would share."""
        self._lock = threading.Lock()
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _wait(self, deadline: float) -> None:
        if self._descriptor < 0:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError:
                return
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                reason = _WAITING.get(error.errno or 0)
                if reason is None:
                    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
                    raise Unavailable(f"the turns of the database's writers cannot be locked ({name})") from None
                if time.monotonic() >= deadline:
                    raise Unavailable(reason) from None
                time.sleep(_LOOK_AGAIN_S)
            else:
                return


_ALL: Final[weakref.WeakSet[Turns]] = weakref.WeakSet()


def _forked() -> None:
    for each in list(_ALL):
        each.forked()


os.register_at_fork(after_in_child=_forked)
