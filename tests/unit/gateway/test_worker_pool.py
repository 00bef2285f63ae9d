"""How many threads handle events: as many as are busy, and one that waits."""

import queue
import threading

import pytest

from gateway.serving.worker_pool import WorkerPool
from tests.servers.processes import wait_until


class Events:
    """A poller whose events are numbers that a test puts in."""

    def __init__(self):
        self.queue = queue.Queue()

    def wait(self, timeout):
        """Return the next number, None after `timeout` seconds."""
        try:
            return self.queue.get(timeout=timeout)
        except queue.Empty:
            return None


class Running:
    """A pool of at most four threads: 0 is handled at once, 1 holds its thread until `release`, 2 raises."""

    def __init__(self):
        self.events = Events()
        self.released = threading.Semaphore(0)
        self.done = []
        self.held = []
        self.pool = WorkerPool(self.events, self._handle, 4, idle=0.05)
        self.pool.start()

    def _handle(self, number):
        if number == 1:
            self.held.append(number)
            self.released.acquire()
            self.held.pop()
        self.done.append(number)
        if number == 2:
            raise RuntimeError("an error of one client's event")

    @property
    def busy(self):
        """How many threads are held."""
        return len(self.held)

    def put(self, *numbers):
        """Make events."""
        for number in numbers:
            self.events.queue.put(number)

    def release(self, count):
        """Let busy threads go on."""
        self.released.release(count)

    def wait_for(self, condition, what):
        """Wait until `condition()` holds."""
        wait_until(condition, every=0.001, what=what)


@pytest.fixture
def running():
    """Return a running pool."""
    made = Running()
    yield made
    made.pool.stop()
    made.release(100)
    made.put(*[0] * 8)


def test_an_event_is_handled_while_other_threads_are_busy(running):
    """A thread that is held by a slow request does not keep a quick one waiting."""
    running.put(1, 1, 0)
    running.wait_for(lambda: running.done == [0], "the quick event")
    assert running.busy == 2
    assert not running.pool.saturated()


def test_events_wait_once_every_thread_is_busy(running):
    """A full pool is saturated, takes no more threads, and handles the events when one is free."""
    running.put(1, 1, 1, 1)
    running.wait_for(lambda: running.busy == 4, "four busy threads")
    assert running.pool.saturated()
    running.put(0)
    assert running.pool.threads == 4
    running.release(1)
    running.wait_for(lambda: running.done == [1, 0], "the event that waited")
    assert not running.pool.saturated()


def test_threads_that_have_nothing_to_do_end(running):
    """After a burst the pool shrinks to the one thread that waits."""
    running.put(1, 1, 1)
    running.wait_for(lambda: running.busy == 3, "three busy threads")
    running.release(3)
    running.wait_for(lambda: running.pool.threads == 1, "one thread")
    running.put(0)
    running.wait_for(lambda: running.done[-1] == 0, "an event after the burst")


def test_an_error_of_an_event_ends_no_thread(running):
    """The next events are handled after one whose handling failed."""
    running.put(*[2] * 10, 0)
    running.wait_for(lambda: len(running.done) == 11, "all events")
    assert running.pool.threads >= 1
