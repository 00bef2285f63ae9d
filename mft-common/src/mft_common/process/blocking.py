"""Record that a thread blocked on a disk, for the pool that decides how many threads are needed.

Another thread cannot tell whether a thread waits for the interpreter or for a disk, and only the latter calls for more
threads.
"""

import threading


class _Thread(threading.local):
    blocked = False


_thread = _Thread()


def note() -> None:
    """Record that this thread blocks without using a processor."""
    _thread.blocked = True


def taken() -> bool:
    """Return whether this thread has blocked since the last call."""
    blocked, _thread.blocked = _thread.blocked, False
    return blocked
