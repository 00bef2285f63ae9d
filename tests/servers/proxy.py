"""Forward a port to a server, and cut or stall its connections."""

import contextlib
import socket
import threading
import time
from typing import Self

# What a throttled way has missed for so long it makes up for.
_LATE_S = 0.2


class Proxy:
    """Forwards a free loopback port to `target`; bytes of a stalled direction are held and sent later."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._refusing = False
        self.connections = 0
        # Bytes that may still pass in each direction before everything is cut; None for any number.
        self._left: dict[str, int | None] = {"to_server": None, "to_client": None}
        # Bytes that may still pass in each direction before no more do; None for any number.
        self._until_stall: dict[str, int | None] = {}
        # Bytes that came for the server, and those that passed on to the client.
        self.to_server = 0
        self.to_client = 0
        # Bytes a second that pass to the client; None for any number.
        self._rate: float | None = None
        self._to_server = threading.Event()
        self._to_client = threading.Event()
        # Set at the end alone: its waits are pauses.
        self._pause = threading.Event()
        self.resume()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._refusing = True
        self._pause.set()
        self.resume()
        # Closing a listener does not end an accept that waits on it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def cut(self) -> None:
        """Break all open connections."""
        with self._lock:
            broken, self._open = self._open, []
        for side in broken:
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def cut_after(self, *, to_server: int | None = None, to_client: int | None = None) -> None:
        """Break all open connections once, when so many more bytes have passed in a direction."""
        with self._lock:
            self._left = {"to_server": to_server, "to_client": to_client}

    def refuse(self) -> None:
        """Break all connections, and refuse new ones until `accept` is called."""
        self._refusing = True
        self.cut()

    def accept(self) -> None:
        """Accept new connections again."""
        self._refusing = False

    def throttle(self, rate: float | None) -> None:
        """Let so many bytes a second pass to the client, on each connection; None for any number."""
        self._rate = rate

    @property
    def stalled(self) -> bool:
        """True while bytes are held."""
        return not (self._to_server.is_set() and self._to_client.is_set())

    def stall(self, *, to_server: bool = False, to_client: bool = False) -> None:
        """Hold the bytes to the server, or to the client, from now on."""
        if to_server:
            self._to_server.clear()
        if to_client:
            self._to_client.clear()

    def stall_after(self, *, to_server: int | None = None, to_client: int | None = None) -> None:
        """Hold the bytes of a direction once so many more have passed, until `resume` is called."""
        with self._lock:
            self._until_stall = {"to_server": to_server, "to_client": to_client}

    def resume(self) -> None:
        """Send the bytes that were held, and hold no more."""
        self._until_stall = {}
        self._to_server.set()
        self._to_client.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target, 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.connections += 1
            with self._lock:
                self._open += [client, server]
            for source, sink, way in ((client, server, "to_server"), (server, client, "to_client")):
                thread = threading.Thread(target=self._pump, args=(source, sink, way), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _pump(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        gate = self._to_server if way == "to_server" else self._to_client
        due = 0.0
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                self._count(len(block), way, gate)
                gate.wait()
                block, last = self._passing(block, way)
                due = self._delay(len(block), way, due)
                sink.sendall(block)
                if last:
                    self.cut()
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _delay(self, size: int, way: str, due: float) -> float:
        """Wait until so many bytes are due on a throttled way, and count them; return when the next ones are."""
        if way == "to_server":
            return due
        now = time.monotonic()
        if self._rate is not None:
            due = max(due, now - _LATE_S) + size / self._rate
            self._pause.wait(max(0.0, due - now))
        with self._lock:
            self.to_client += size
        return due

    def _count(self, size: int, way: str, gate: threading.Event) -> None:
        """Stall a direction when the bytes that may pass are used up."""
        with self._lock:
            if way == "to_server":
                self.to_server += size
            left = self._until_stall.get(way)
            if left is None:
                return
            self._until_stall[way] = left - size if left > size else None
            if left <= size:
                gate.clear()

    def _passing(self, block: bytes, way: str) -> tuple[bytes, bool]:
        """Return as much of the block as may pass, and whether everything is to be cut behind it."""
        with self._lock:
            left = self._left[way]
            if left is None:
                return block, False
            block = block[:left]
            self._left[way] = left - len(block) or None
            return block, self._left[way] is None
