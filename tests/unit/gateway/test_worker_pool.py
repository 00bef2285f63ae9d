"""The number of active threads grows for work that blocks, and shrinks for work that does not."""

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
    """Return a running pool: handling an event of 1 blocks on a disk, one of 0 does not."""
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
    """Threads that run Python compete for the interpreter."""
    give(worker_pool, *[0] * 50)
    wait_until(lambda: worker_pool.active == 1, every=0.001, what="one active thread")


def test_work_that_blocks_makes_another_thread_active(worker_pool):
    """While a thread waits for a disk another one can answer, however busy the process is meanwhile."""
    give(worker_pool, 1)
    wait_until(lambda: worker_pool.active == 2, every=0.001, what="a second thread")


def test_threads_become_inactive_again_after_work_that_does_not_block(worker_pool):
    """A request that blocked keeps its thread active; the short ones after it make the others inactive."""
    give(worker_pool, *[1] * 20)
    assert worker_pool.active > 1
    give(worker_pool, *[0] * 50)
    wait_until(lambda: worker_pool.active == 1, every=0.001, what="one active thread")


def test_blocking_is_recorded_for_each_thread_and_read_once():
    """Another thread has not blocked, and the next piece of work of this one has not either."""
    blocking.note()
    others = []
    other = threading.Thread(target=lambda: others.append(blocking.taken()))
    other.start()
    other.join()
    assert (others, blocking.taken(), blocking.taken()) == ([False], True, False)
