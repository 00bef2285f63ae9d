"""Send bytes over a socket whose time limit is that of each wait."""

import socket
import ssl
from typing import Final

# A connection with TLS counts its limit over all that it is given at once, some records of TLS here.
_PIECE: Final = 64 << 10


def send_all(connection: socket.socket, content: bytes | bytearray | memoryview) -> None:
    """Send all bytes; TimeoutError once the far side has taken none for as long as the socket's limit.

    `sendall` would count its limit over the whole content, however steadily the far side takes it. With TLS the limit
    is that of each 64 KiB. No view of the content is left, also in an error: its owner may empty it.
    """
    sent = 0
    with memoryview(content) as view:
        most = _PIECE if isinstance(connection, ssl.SSLSocket) else len(view)
        while sent < len(view):
            with view[sent : sent + most] as rest:
                sent += connection.send(rest)
