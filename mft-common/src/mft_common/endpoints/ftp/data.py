"""Move bytes over one data connection, and account for the answer that ends it."""

import contextlib
import select
import socket
import ssl
from contextlib import AbstractContextManager
from typing import Protocol

from mft_common.endpoints.errors import TransferError, Transient
from mft_common.endpoints.ftp import replies
from mft_common.endpoints.sending import send_all


class Control(Protocol):
    """The part of a control connection that its data connections use."""

    def answers(self, name: str) -> AbstractContextManager[None]:
        """Turn errors into those of transfers, and drop the connection."""
        ...

    def complete(self, name: str) -> None:
        """Read the answer that ends the transfer."""
        ...

    def drop(self) -> None:
        """Close the control connection."""
        ...


class Data:
    """One transfer. It ends with `finish`, which reads the server's answer, or with `drop`, which closes both sides.

    After an error both sides are closed: an answer that stays unread would be taken for that of the next command.
    """

    def __init__(self, connection: socket.socket, control: Control, name: str, idle: float) -> None:
        self._connection = connection
        self._control = control
        self._name = name
        self._idle = idle
        # One for all blocks: a new one would be filled with zeros first.
        self._buffer = bytearray()
        # Whether TLS ended without a closing alert, so that the end may be a cut.
        self.ragged = False

    def read(self, size: int) -> bytes:
        """Return the next bytes: `size` of them, or fewer at the end."""
        if len(self._buffer) < size:
            self._buffer = bytearray(size)
        view, count = memoryview(self._buffer)[:size], 0
        receive = self._connection.recv_into
        try:
            while count < size and (received := receive(view[count:])):
                count += received
        except ssl.SSLEOFError:
            self.ragged = True
        except OSError as error:
            raise self._broken(error) from error
        return bytes(view[:count])

    def write(self, block: bytes | memoryview) -> None:
        """Send bytes; where the server ended the transfer before, raise the reason that it gave."""
        try:
            send_all(self._connection, block)
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> TransferError:
        """Return the server's reason for ending the transfer where it gave one, else the error of the connection."""
        self._connection.close()
        failure: TransferError = replies.of_failure(error, self._name)
        if not isinstance(error, TimeoutError):
            try:
                self._control.complete(self._name)
            except Transient:
                pass
            except TransferError as reason:
                failure = reason
        self._control.drop()
        return failure

    def finish(self) -> None:
        """End the transfer and read the answer: the connections stay open until then.

        Closing earlier would reset the connection where bytes are unread (the tickets of TLS 1.3, for example), and the
        server could lose the end of what was sent.
        """
        try:
            self._end_sending()
            self._control.complete(self._name)
        finally:
            self._connection.close()

    def _end_sending(self) -> None:
        """Send the closing alert of TLS and the end of the stream, without waiting for the server's own alert."""
        with contextlib.suppress(OSError):
            if isinstance(self._connection, ssl.SSLSocket):
                self._send_alert(self._connection)
            self._connection.shutdown(socket.SHUT_WR)

    def _send_alert(self, connection: ssl.SSLSocket) -> None:
        connection.setblocking(False)
        with contextlib.suppress(ssl.SSLError):
            while True:
                try:
                    connection.unwrap()
                except ssl.SSLWantWriteError:
                    if not select.select([], [connection], [], self._idle)[1]:
                        return
                else:
                    return

    def drop(self) -> None:
        """Close both sides."""
        self._connection.close()
        self._control.drop()
