"""Address Unix sockets by paths of any length: the kernel takes 107 bytes, so a folder is named by its descriptor."""

import http.client
import os
import socket
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


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to a socket at `path`; `timeout` in seconds is that of each call of the system."""

    def __init__(self, path: Path, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._seconds = timeout

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._seconds)
        with address_of(self._path) as address:
            self.sock.connect(address)
