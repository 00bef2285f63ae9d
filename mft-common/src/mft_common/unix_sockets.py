"""Address Unix sockets by paths of any length: the kernel takes 107 bytes, so a folder is named by its descriptor."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LONGEST: Final = 107


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """Give the address of a socket for `bind` and `connect`, valid within the block."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
