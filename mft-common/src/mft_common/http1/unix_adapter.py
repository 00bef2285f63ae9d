"""Let `requests` call a server on a Unix socket."""

import socket
from pathlib import Path
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import NewConnectionError

from mft_common import unix_sockets

_HOST: Final = "localhost"
# Bodies are sent in blocks of this size; urllib3's own are of 16 KiB.
_BLOCK: Final = 1 << 20


class _Connection(HTTPConnection):
    """A connection to a socket's path."""

    def __init__(self, path: Path, timeout: Any) -> None:
        super().__init__(_HOST, timeout=timeout, blocksize=_BLOCK)
        self._path = path

    def _new_conn(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(self.timeout)
            with unix_sockets.address_of(self._path) as address:
                connection.connect(address)
        except OSError as error:
            connection.close()
            raise NewConnectionError(self, f"nothing listens on the socket: {error}") from error
        return connection


class _Pool(HTTPConnectionPool):
    """Connections to one socket."""

    def __init__(self, path: Path) -> None:
        super().__init__(_HOST)
        self._path = path

    def _new_conn(self) -> _Connection:
        return _Connection(self._path, self.timeout.connect_timeout)


class UnixAdapter(HTTPAdapter):
    """Sends all requests of the base URL that it is mounted on to the server that listens at `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._pool = _Pool(path)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """Return the connections to the socket."""
        return self._pool

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        super().close()
