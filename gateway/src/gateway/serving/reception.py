"""Receive clients: accept them, wait with all of them at once, and give a thread to whole requests alone."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.serving.answer import Answer
from gateway.serving.body import CountedBody
from gateway.serving.connection import Connection, Stage
from gateway.serving.crew import Crew
from gateway.serving.crowd import Crowd, Seat
from gateway.serving.exchange import Site, answer_request, base_environ
from gateway.serving.limits import ServingLimits
from gateway.serving.poller import best
from mft_common.http1.request_head import HeadError, method_and_path

# At the end, as many as may wait in a listener's queue.
_LAST_CLIENTS = 4096
_POLITE_S = 0.002


@dataclass(frozen=True)
class _Door:
    listener: socket.socket
    fd: int
    base: Mapping[str, Any]
    tls: ssl.SSLContext | None


class Reception:
    """All connections of one process. `tick` must be called about twice a second, from one thread."""

    def __init__(
        self,
        listeners: list[socket.socket],
        site: Site,
        limits: ServingLimits,
        tls: ssl.SSLContext | None,
        seat: Seat | None = None,
    ) -> None:
        self._limits = limits
        self._seat = seat or Crowd().seat(0)
        self._site = site
        self._poller = best()
        self._crew = Crew(self._poller, self._event, limits.threads)
        # Guards the two below: a descriptor must never be watched again once its listener is closed.
        self._listening = threading.Lock()
        self._doors: dict[int, _Door] = {}
        self._paused: set[int] = set()
        self._waiting: dict[int, Connection] = {}
        self._open: set[Connection] = set()
        for listener in listeners:
            name = listener.getsockname()
            host, port = (name[0], name[1]) if isinstance(name, tuple) else ("", 0)
            context = tls if port == limits.https_port else None
            listener.setblocking(False)
            fd = listener.fileno()
            self._doors[fd] = _Door(listener, fd, base_environ(host, port, tls=context is not None), context)

    def start(self) -> None:
        """Begin to accept clients."""
        self._seat.tell(0)
        for fd in self._doors:
            self._poller.add(fd)
        self._crew.start()

    def tick(self) -> None:
        """Close connections whose time is over, and listen again where that had to pause."""
        now = time.monotonic()
        for connection in list(self._waiting.values()):
            if connection.deadline <= now:
                self._evict(connection)
        if not self.paused:
            return
        if len(self._open) >= self._limits.connections:
            self._make_room()
            return
        with self._listening:
            while self._paused:
                self._poller.again(self._paused.pop())

    @property
    def paused(self) -> bool:
        """True while a listener is not watched because there was no room for its clients."""
        return bool(self._paused)

    def stop_accepting(self) -> None:
        """Take those clients that the system has connected already, then no more."""
        self._seat.leave()
        with self._listening:
            doors = list(self._doors.values())
            self._doors.clear()
            self._paused.clear()
        for door in doors:
            self._accept(door, _LAST_CLIENTS)
            door.listener.close()

    def leave_idle(self, older_than: float) -> int:
        """Close connections without a request that have been quiet for so many seconds; return how many are open."""
        now = time.monotonic()
        for connection in list(self._waiting.values()):
            limit = self._limits.keepalive if connection.stage is Stage.IDLE else self._limits.head_time
            quiet = now - (connection.deadline - limit)
            if connection.stage is not Stage.LINGER and not connection.buffer and quiet >= older_than:
                self._evict(connection)
        return len(self._open)

    def close(self) -> None:
        """Cut what is still open."""
        self._crew.stop()
        for connection in list(self._open):
            connection.close()

    def _event(self, fd: int) -> None:
        connection = self._waiting.pop(fd, None)
        if connection is not None:
            self._advance(connection)
            return
        door = self._doors.get(fd)
        if door is not None:
            more = False
            try:
                # One at a time, and the others first: of clients that come together, each process is to get its share.
                self._let_others_go_first(door)
                more = self._accept(door, 1)
            finally:
                self._listen_again(door, at_once=more)

    def _listen_again(self, door: _Door, *, at_once: bool) -> None:
        """Watch a listener again, now or with the next tick; one that was closed meanwhile is left alone."""
        with self._listening:
            if door.fd not in self._doors:
                return
            if at_once:
                self._poller.again(door.fd)
            else:
                self._paused.add(door.fd)

    def _let_others_go_first(self, door: _Door) -> None:
        """Leave a client to a process that has fewer, for as long as it takes one that is idle to wake up."""
        until = time.monotonic() + _POLITE_S
        poll = select.poll()
        poll.register(door.fd, select.POLLIN)
        while self._seat.others_have_fewer(len(self._open)) and time.monotonic() < until and poll.poll(0):
            time.sleep(_POLITE_S / 8)

    def _accept(self, door: _Door, most: int) -> bool:
        """Accept up to `most` clients; False when there is no room for more."""
        for _ in range(most):
            if len(self._open) >= self._limits.connections:
                return False
            try:
                sock, peer = door.listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return True
            except OSError:
                # No descriptors are left; some will be free by the next tick.
                return False
            try:
                address = (peer[0], peer[1]) if isinstance(peer, tuple) else ("", 0)
                connection = Connection(
                    sock, address, dict(door.base), self._limits, door.tls, crowded=self._crew.crowded
                )
            except BaseException as error:
                sock.close()
                if isinstance(error, OSError):
                    continue
                raise
            self._open.add(connection)
            self._seat.tell(len(self._open))
            self._waiting[connection.fd] = connection
            self._poller.add(connection.fd)
        return True

    def _gone(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._seat.tell(len(self._open))
        connection.close()

    def _advance(self, connection: Connection) -> None:
        """Do what a connection's event allows, then wait with it again or close it. This thread owns it."""
        try:
            stays = self._work(connection)
        except OSError:
            stays = False
        except BaseException:
            self._gone(connection)
            raise
        if stays:
            self._waiting[connection.fd] = connection
            if connection.full:
                return
            try:
                self._poller.again(connection.fd, writing=connection.to_write)
            except (OSError, ValueError):
                self._evict(connection)
        else:
            self._gone(connection)

    def _work(self, connection: Connection) -> bool:
        if connection.stage is Stage.LINGER:
            return connection.drain()
        if connection.stage is Stage.HANDSHAKE and not connection.shake_hands():
            return True
        while connection.read():
            while True:
                try:
                    taken = connection.take_head()
                except HeadError as error:
                    self._refuse(connection, error)
                    return connection.begin_linger()
                if taken is None:
                    break
                head, rest = taken
                leftover = answer_request(
                    self._site, connection.channel, base=connection.base, peer=connection.peer, head=head, rest=rest
                )
                if leftover is None:
                    return connection.begin_linger()
                connection.rest(leftover)
            if not connection.channel.tls:
                # What came meanwhile makes an event of its own. TLS may hold decrypted bytes that make none.
                break
        return True

    def _refuse(self, connection: Connection, error: HeadError) -> None:
        method, path = method_and_path(bytes(connection.buffer))
        channel = connection.channel
        answer = Answer(channel, CountedBody(channel, b"", length=0), method, 1, keep=False)
        status, headers, text = self._site.refuse(error.status, method, path, connection.peer[0])
        answer.start(status, headers)
        answer.deliver([text])

    def _evict(self, connection: Connection) -> None:
        """Close a waiting connection, unless a thread has just taken it."""
        taken = self._waiting.pop(connection.fd, None)
        if taken is connection:
            self._gone(connection)
        elif taken is not None:
            # The number has passed to another client meanwhile.
            self._advance(taken)

    def _make_room(self) -> None:
        idle = [connection for connection in list(self._waiting.values()) if connection.stage is Stage.IDLE]
        for connection in sorted(idle, key=lambda each: each.deadline)[: max(1, len(idle) // 10)]:
            self._evict(connection)
