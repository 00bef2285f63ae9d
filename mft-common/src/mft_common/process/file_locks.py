"""Hold a file for as long as a process lives, and ask who is held without getting in anybody's way.

The locks belong to the open file (`F_OFD_SETLK`): the kernel takes them away when the last process that has it open is
gone, and asking (`F_OFD_GETLK`) takes nothing. Whoever asks by taking a lock for a moment can make a process that
starts in that moment believe that it has company.
"""

import errno
import fcntl
import os
import struct
from typing import Final

# struct flock: type, whence, start, length (0: to the end), process (0 for these locks).
_FLOCK: Final = "hhqqi"


def acquire(descriptor: int) -> bool:
    """Lock an open file (writable) for all who share its descriptor; False while somebody else holds it."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole_file())
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def is_held(descriptor: int) -> bool:
    """Tell whether somebody else holds the file that is open here."""
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole_file())
    return bool(struct.unpack(_FLOCK, answer[: struct.calcsize(_FLOCK)])[0] != fcntl.F_UNLCK)


def _whole_file() -> bytes:
    return struct.pack(_FLOCK + "4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
