"""Send bytes over a socket whose time limit is that of each wait."""

import socket


def send_all(connection: socket.socket, content: bytes | bytearray | memoryview) -> None:
    """Send all bytes; TimeoutError once the far side has taken none for as long as the socket's limit.

    `sendall` would count its limit over the whole content, however steadily the far side takes it. No view of the
    content is left, also in an error: its owner may empty it.
    """
    sent = 0
    with memoryview(content) as view:
        while sent < len(view):
            with view[sent:] as rest:
                sent += connection.send(rest)
