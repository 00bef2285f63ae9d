"""How many threads take turns: more for work that waits, few for work that does not."""

import queue
import threading

import pytest

from gateway.serving.worker_pool import WorkerPool
from mft_common.process import blocking
from tests.servers.processes import wait_until


class Events:
    """A poller whose events are numbers that a test puts in."""

    def __init__(self):
        self.queue = queue.Queue()

    def wait(self, timeout):
        try:
            return self.queue.get(timeout=timeout)
        except queue.Empty:
            return None


@pytest.fixture
def worker_pool():
    """Return a crew at work: an event of 1 has waited for a disk, one of 0 has not."""
    events, done = Events(), []

    def handle(fd):
        if fd:
            blocking.note()
        done.append(fd)

    made = WorkerPool(events, handle, 8)
    made.events, made.done = events, done
    made.start()
    yield made
    made.stop()
    for _ in range(8):
        events.queue.put(0)


def give(worker_pool, *events):
    """Have events handled one after another."""
    for fd in events:
        count = len(worker_pool.done) + 1
        worker_pool.events.queue.put(fd)
        wait_until(lambda count=count: len(worker_pool.done) == count, every=0.001, what="the event")


def test_short_work_is_left_to_one_thread(worker_pool):
    """Threads that run Python only get in each other's way."""
    give(worker_pool, *[0] * 50)
    wait_until(lambda: worker_pool._in_turn == 1, every=0.001, what="one thread in turn")


def test_work_that_waits_brings_another_thread_in(worker_pool):
    """While a thread waits for a disk another one can answer, however busy the process is meanwhile."""
    give(worker_pool, 1)
    wait_until(lambda: worker_pool._in_turn == 2, every=0.001, what="a second thread")


def test_threads_leave_when_there_is_nothing_to_wait_for(worker_pool):
    """What has waited keeps its thread in turn, and what comes after it and does not wait lets the others go."""
    give(worker_pool, *[1] * 20)
    assert worker_pool._in_turn > 1
    give(worker_pool, *[0] * 50)
    wait_until(lambda: worker_pool._in_turn == 1, every=0.001, what="one thread in turn")


def test_a_wait_is_a_threads_own_and_told_once():
    """Another thread has not waited, and the next piece of work of this one has not either."""
    blocking.note()
    told = []
    other = threading.Thread(target=lambda: told.append(blocking.taken()))
    other.start()
    other.join()
    assert (told, blocking.taken(), blocking.taken()) == ([False], True, False)
