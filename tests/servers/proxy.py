"""Forward a port to a server, and cut or stall its connections."""

import contextlib
import socket
import threading
from typing import Self


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
        self._to_server = threading.Event()
        self._to_client = threading.Event()
        self.resume()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._refusing = True
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

    def refuse(self) -> None:
        """Break all connections, and refuse new ones until `accept` is called."""
        self._refusing = True
        self.cut()

    def accept(self) -> None:
        """Accept new connections again."""
        self._refusing = False

    def stall(self, *, to_server: bool = False, to_client: bool = False) -> None:
        """Hold the bytes to the server, or to the client, from now on."""
        if to_server:
            self._to_server.clear()
        if to_client:
            self._to_client.clear()

    def resume(self) -> None:
        """Send the bytes that were held, and hold no more."""
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
            for source, sink, gate in ((client, server, self._to_server), (server, client, self._to_client)):
                thread = threading.Thread(target=self._pump, args=(source, sink, gate), daemon=True)
                thread.start()
                self._threads.append(thread)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, gate: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                gate.wait()
                sink.sendall(block)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
