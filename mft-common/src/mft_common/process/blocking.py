"""Note that a thread had to wait for a disk, so that whoever shares out the threads knows without a guess.

What a thread waits for, the interpreter or a disk, cannot be told from outside of it; and for a disk others need not.
"""

import threading


class _Thread(threading.local):
    waited = False


_thread = _Thread()


def note() -> None:
    """Note that this thread waits, as far as it is concerned without any need of a processor."""
    _thread.waited = True


def taken() -> bool:
    """Return whether this thread has waited since it was asked last."""
    waited, _thread.waited = _thread.waited, False
    return waited
