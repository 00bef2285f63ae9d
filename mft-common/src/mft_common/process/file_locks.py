"""Lock a file for as long as a process lives, and ask whether it is locked.

The locks belong to the open file (`F_OFD_SETLK`): the kernel releases them when the last process that has it open has
ended. Asking (`F_OFD_GETLK`) takes no lock: a lock that was taken for a moment in order to ask could be seen by a
process that starts in that moment.
"""

import errno
import fcntl
import os
import struct
from typing import Final

# struct flock: type, whence, start, length (0: to the end), process (0 for these locks).
_FLOCK: Final = "hhqqi"


def acquire(descriptor: int, *, shared: bool = False, start: int = 0, length: int = 0) -> bool:
    """Lock `length` bytes of an open file from `start` on (0: to the end) for all who share its descriptor.

    Return False while another open file holds a lock that excludes this one. A lock that the descriptor has already
    becomes the new one.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _lock(fcntl.F_RDLCK if shared else fcntl.F_WRLCK, start, length))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def is_held(descriptor: int, *, start: int = 0, length: int = 0) -> bool:
    """Return whether another open file holds a lock on those bytes of the file that is open here (0: to the end)."""
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _lock(fcntl.F_WRLCK, start, length))
    return bool(struct.unpack(_FLOCK, answer[: struct.calcsize(_FLOCK)])[0] != fcntl.F_UNLCK)


def _lock(kind: int, start: int, length: int) -> bytes:
    return struct.pack(_FLOCK + "4x", kind, os.SEEK_SET, start, length, 0)
