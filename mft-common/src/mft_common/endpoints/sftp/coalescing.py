"""Take work off asyncssh: one write for those of a turn of the event loop, no empty packets, small reads, no log."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import asyncssh
from asyncssh.constants import MSG_IGNORE
from asyncssh.logging import SSHLogger
from asyncssh.packet import SSHPacketLogger

# Bytes that are written at once, without waiting for the end of the loop's turn.
_ENOUGH: Final = 256 * 1024
# Bytes that asyncssh gets at once: it copies what is left of them after each packet of 32 KiB.
_PIECE: Final = 64 * 1024


class _Transport(asyncio.Transport):
    """A transport whose writes go out together, in order, at the end of the loop's turn."""

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._inner = inner
        self._loop = loop
        self._waiting: list[bytes | bytearray | memoryview] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= _ENOUGH:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            joined = b"".join(self._waiting)
            self._waiting.clear()
            self._size = 0
            self._inner.write(joined)

    def close(self) -> None:
        self._flush()
        self._inner.close()

    def abort(self) -> None:
        self._waiting.clear()
        self._inner.abort()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def is_reading(self) -> bool:
        return self._inner.is_reading()

    def get_write_buffer_size(self) -> int:
        return self._size + self._inner.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._inner.set_write_buffer_limits(high, low)

    def can_write_eof(self) -> bool:
        return self._inner.can_write_eof()

    def write_eof(self) -> None:
        self._flush()
        self._inner.write_eof()


class _Protocol(asyncio.Protocol):
    """Gives another protocol the coalescing transport, and passes everything else on."""

    def __init__(self, inner: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        self.inner = inner
        self._loop = loop
        # asyncssh adds any kind of bytes to what it has.
        self._received: Callable[[bytes | memoryview], None] = inner.data_received  # type: ignore[assignment]
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.inner.connection_made(_Transport(transport, self._loop))

    def data_received(self, data: bytes) -> None:
        if len(data) <= _PIECE:
            self._received(data)
            return
        assert self._transport is not None
        view = memoryview(data)
        for start in range(0, len(view), _PIECE):
            if self._transport.is_closing():
                # A piece before was the last one that the protocol wanted.
                return
            self._received(view[start : start + _PIECE])

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()


class CoalescingLoop(asyncio.SelectorEventLoop):
    """An event loop whose outgoing TCP connections join small writes."""

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], *arguments: Any, **options: Any
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect as the loop does, with a coalescing transport between socket and protocol."""
        transport, protocol = await super().create_connection(
            lambda: _Protocol(protocol_factory(), self), *arguments, **options
        )
        return transport, protocol.inner


def send_no_ignored_packets(connection: asyncssh.SSHClientConnection) -> None:
    """Leave out the empty packet that asyncssh encrypts and sends before each packet.

    It hides the next initialization vector of ciphers in CBC mode (RFC 4251, 9.3.1), and no such cipher is offered.
    """
    send = connection.send_packet

    def send_packet(pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        if pkttype != MSG_IGNORE:
            send(pkttype, *args, handler=handler)

    connection.send_packet = send_packet  # type: ignore[method-assign]


def log_nothing() -> None:
    """Let asyncssh of this process build no log lines: a quarter of the work for a request goes into lines not shown.

    What it would log, users, hosts and each packet, is not for our log; what matters of it is in our errors.
    """
    for owner, names in ((SSHLogger, ("log", "debug1")), (SSHPacketLogger, ("log_sent_packet", "log_received_packet"))):
        for name in names:
            setattr(owner, name, _ignore)


def _ignore(*_arguments: object, **_options: object) -> None:
    """Do nothing, in place of a method that writes to a log."""
