"""Accept connections, wait for all of them at once, and give a thread to complete request heads alone."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.serving.body import CountedBody
from gateway.serving.connection import Connection, Stage
from gateway.serving.exchange import ServerApplication, base_environ, handle_request
from gateway.serving.limits import ServingLimits
from gateway.serving.poller import create_poller
from gateway.serving.response_writer import ResponseWriter
from gateway.serving.scoreboard import Scoreboard, Slot
from gateway.serving.worker_pool import WorkerPool
from mft_common.http1.request_head import RequestHeadError, method_and_path

# The most connections that can wait in a listener's queue when the process stops.
_MOST_QUEUED: Final = 4096
# How long a process leaves a new connection to one that has fewer.
_YIELD_S: Final = 0.002


@dataclass(frozen=True)
class Listener:
    """A listening socket, and what its connections have in common."""

    sock: socket.socket
    fd: int
    base: Mapping[str, Any]
    tls: ssl.SSLContext | None


class ConnectionManager:
    """All connections of one process. Call `tick` about twice a second, from one thread.

    A connection that waits for its client is in `_waiting`; the thread that takes it out owns it until it puts it back.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        application: ServerApplication,
        limits: ServingLimits,
        tls: ssl.SSLContext | None,
        slot: Slot | None = None,
    ) -> None:
        self._limits = limits
        self._slot = slot or Scoreboard().slot(0)
        self._application = application
        self._poller = create_poller()
        self._pool = WorkerPool(self._poller, self._handle_event, limits.threads)
        # Guards the two below: a descriptor must never be armed again once its listener is closed.
        self._listener_lock = threading.Lock()
        self._listeners: dict[int, Listener] = {}
        self._paused: set[int] = set()
        self._waiting: dict[int, Connection] = {}
        self._open: set[Connection] = set()
        for sock in sockets:
            name = sock.getsockname()
            host, port = (name[0], name[1]) if isinstance(name, tuple) else ("", 0)
            context = tls if port == limits.https_port else None
            sock.setblocking(False)
            fd = sock.fileno()
            self._listeners[fd] = Listener(sock, fd, base_environ(host, port, tls=context is not None), context)

    def start(self) -> None:
        """Begin to accept connections."""
        self._slot.publish(0)
        for fd in self._listeners:
            self._poller.add(fd)
        self._pool.start()

    def tick(self) -> None:
        """Close connections whose deadline has passed, and arm paused listeners again."""
        now = time.monotonic()
        for connection in list(self._waiting.values()):
            if connection.deadline <= now:
                self._evict(connection)
        if not self.paused:
            return
        if len(self._open) >= self._limits.connections:
            self._evict_idle()
            return
        with self._listener_lock:
            while self._paused:
                self._poller.rearm(self._paused.pop())

    @property
    def paused(self) -> bool:
        """True while a listener is not armed because its last accept found no room, or failed."""
        return bool(self._paused)

    def stop_accepting(self) -> None:
        """Accept the connections that the system has queued already, then close the listeners."""
        self._slot.release()
        with self._listener_lock:
            listeners = list(self._listeners.values())
            self._listeners.clear()
            self._paused.clear()
        for listener in listeners:
            self._accept(listener, _MOST_QUEUED)
            listener.sock.close()

    def close_idle(self, older_than: float) -> int:
        """Close connections that have had no request for `older_than` seconds; return how many stay open."""
        now = time.monotonic()
        for connection in list(self._waiting.values()):
            limit = self._limits.keepalive if connection.stage is Stage.IDLE else self._limits.head_time
            quiet = now - (connection.deadline - limit)
            if connection.stage is not Stage.LINGER and not connection.buffer and quiet >= older_than:
                self._evict(connection)
        return len(self._open)

    def close(self) -> None:
        """Stop the threads and cut the connections that are still open."""
        self._pool.stop()
        for connection in list(self._open):
            connection.close()

    def _handle_event(self, fd: int) -> None:
        connection = self._waiting.pop(fd, None)
        if connection is not None:
            self._advance(connection)
            return
        listener = self._listeners.get(fd)
        if listener is not None:
            more = False
            try:
                # One connection an event: of clients that come together, each process is to get its share.
                self._yield_to_less_loaded(listener)
                more = self._accept(listener, 1)
            finally:
                self._rearm_listener(listener, at_once=more)

    def _rearm_listener(self, listener: Listener, *, at_once: bool) -> None:
        """Arm a listener again, now or with the next tick, unless it was closed meanwhile."""
        with self._listener_lock:
            if listener.fd not in self._listeners:
                return
            if at_once:
                self._poller.rearm(listener.fd)
            else:
                self._paused.add(listener.fd)

    def _yield_to_less_loaded(self, listener: Listener) -> None:
        """Leave a connection to a process that has fewer, for as long as an idle one takes to wake up."""
        until = time.monotonic() + _YIELD_S
        poll = select.poll()
        poll.register(listener.fd, select.POLLIN)
        while self._slot.others_have_fewer(len(self._open)) and time.monotonic() < until and poll.poll(0):
            time.sleep(_YIELD_S / 8)

    def _accept(self, listener: Listener, most: int) -> bool:
        """Accept up to `most` connections; False when there is no room for more."""
        for _ in range(most):
            if len(self._open) >= self._limits.connections:
                return False
            try:
                sock, peer = listener.sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return True
            except OSError:
                # No descriptors are left; some may be free by the next tick.
                return False
            try:
                address = (peer[0], peer[1]) if isinstance(peer, tuple) else ("", 0)
                connection = Connection(
                    sock, address, dict(listener.base), self._limits, listener.tls, saturated=self._pool.saturated
                )
            except BaseException as error:
                sock.close()
                if isinstance(error, OSError):
                    continue
                raise
            self._open.add(connection)
            self._slot.publish(len(self._open))
            self._waiting[connection.fd] = connection
            self._poller.add(connection.fd)
        return True

    def _discard(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._slot.publish(len(self._open))
        connection.close()

    def _advance(self, connection: Connection) -> None:
        """Do what a connection's event allows, then wait for its next event or close it. This thread owns it."""
        try:
            stays = self._work(connection)
        except OSError:
            stays = False
        except BaseException:
            self._discard(connection)
            raise
        if not stays:
            self._discard(connection)
            return
        self._waiting[connection.fd] = connection
        if connection.ignored:
            return
        try:
            self._poller.rearm(connection.fd, writing=connection.to_write)
        except (OSError, ValueError):
            self._evict(connection)

    def _work(self, connection: Connection) -> bool:
        """Read a connection and answer its complete requests; False when it is to be closed."""
        if connection.stage is Stage.LINGER:
            return connection.drain()
        if connection.stage is Stage.HANDSHAKE and not connection.handshake():
            return True
        while connection.read():
            while True:
                try:
                    taken = connection.take_head()
                except RequestHeadError as error:
                    self._send_error(connection, error)
                    return connection.begin_linger()
                if taken is None:
                    break
                head, received = taken
                leftover = handle_request(
                    self._application,
                    connection.channel,
                    base=connection.base,
                    peer=connection.peer,
                    head=head,
                    received=received,
                )
                if leftover is None:
                    return connection.begin_linger()
                connection.begin_next(leftover)
            if not connection.channel.tls:
                # Bytes that arrived meanwhile make another event. TLS may hold decrypted bytes that make none.
                break
        return True

    def _send_error(self, connection: Connection, error: RequestHeadError) -> None:
        """Answer a malformed head in the form that a client of its path expects."""
        method, path = method_and_path(bytes(connection.buffer))
        channel = connection.channel
        writer = ResponseWriter(channel, CountedBody(channel, b"", length=0), method, 1, keep_alive=False)
        status, headers, text = self._application.make_error(error.status, method, path, connection.peer[0])
        writer.start_response(status, headers)
        writer.send([text])

    def _evict(self, connection: Connection) -> None:
        """Close a waiting connection, unless a thread has just taken it."""
        taken = self._waiting.pop(connection.fd, None)
        if taken is connection:
            self._discard(connection)
        elif taken is not None:
            # The descriptor's number belongs to another client by now.
            self._advance(taken)

    def _evict_idle(self) -> None:
        """Close a tenth of the idle connections, those that would expire first."""
        idle = [connection for connection in list(self._waiting.values()) if connection.stage is Stage.IDLE]
        for connection in sorted(idle, key=lambda each: each.deadline)[: max(1, len(idle) // 10)]:
            self._evict(connection)
