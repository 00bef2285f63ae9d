"""Wait for events of many descriptors in many threads; each event goes to one thread."""

import selectors
import threading
from typing import Protocol

try:
    from select import EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, epoll
except ImportError:  # pragma: no cover -- only Linux has epoll
    epoll = None  # type: ignore[assignment,misc]


class Poller(Protocol):
    """Many threads wait; an event wakes one of them, and its descriptor makes no other until `rearm`."""

    def add(self, fd: int) -> None:
        """Watch a new descriptor for reading."""
        ...

    def rearm(self, fd: int, *, writing: bool = False) -> None:
        """Watch a descriptor once more after its event."""
        ...

    def wait(self, seconds: float) -> int | None:
        """Return a descriptor that is ready, None after `seconds`."""
        ...

    def close(self) -> None:
        """Release the system's resources."""
        ...


class EpollPoller:
    """Linux: the kernel gives each one-shot event to the thread that began to wait last, whose caches are warm."""

    def __init__(self) -> None:
        self._epoll = epoll()

    def add(self, fd: int) -> None:
        """See Poller."""
        self._epoll.register(fd, EPOLLIN | EPOLLONESHOT)

    def rearm(self, fd: int, *, writing: bool = False) -> None:
        """See Poller."""
        self._epoll.modify(fd, (EPOLLOUT if writing else EPOLLIN) | EPOLLONESHOT | EPOLLHUP)

    def wait(self, seconds: float) -> int | None:
        """See Poller."""
        events = self._epoll.poll(seconds, 1)
        return events[0][0] if events else None

    def close(self) -> None:
        """See Poller."""
        self._epoll.close()


class SelectorPoller:
    """Other systems: one thread at a time calls the selector, the others queue behind it."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._select_lock = threading.Lock()

    def add(self, fd: int) -> None:
        """See Poller."""
        try:
            self._selector.register(fd, selectors.EVENT_READ)
        except KeyError:
            # The number belonged to a connection that was closed while it was watched.
            self._selector.unregister(fd)
            self._selector.register(fd, selectors.EVENT_READ)

    def rearm(self, fd: int, *, writing: bool = False) -> None:
        """See Poller."""
        self._selector.register(fd, selectors.EVENT_WRITE if writing else selectors.EVENT_READ)

    def wait(self, seconds: float) -> int | None:
        """See Poller."""
        # Short waits: not every selector sees a descriptor that is added during one.
        if not self._select_lock.acquire(timeout=seconds):
            return None
        try:
            events = self._selector.select(min(seconds, 0.05))
            if not events:
                return None
            fd = int(events[0][0].fd)
            self._selector.unregister(fd)
            return fd
        finally:
            self._select_lock.release()

    def close(self) -> None:
        """See Poller."""
        self._selector.close()


def create_poller() -> Poller:
    """Return the poller that suits this system."""
    return SelectorPoller() if epoll is None else EpollPoller()
