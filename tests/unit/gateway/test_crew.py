"""How many threads take turns: more for work that waits, few for work that does not."""

import queue
import threading

import pytest

from gateway.serving.crew import Crew
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
def crew():
    """Return a crew at work: an event of 1 has waited for a disk, one of 0 has not."""
    events, done = Events(), []

    def handle(fd):
        if fd:
            blocking.note()
        done.append(fd)

    made = Crew(events, handle, 8)
    made.events, made.done = events, done
    made.start()
    yield made
    made.stop()
    for _ in range(8):
        events.queue.put(0)


def give(crew, *events):
    """Have events handled one after another."""
    for fd in events:
        count = len(crew.done) + 1
        crew.events.queue.put(fd)
        wait_until(lambda count=count: len(crew.done) == count, every=0.001, what="the event")


def test_short_work_is_left_to_one_thread(crew):
    """Threads that run Python only get in each other's way."""
    give(crew, *[0] * 50)
    wait_until(lambda: crew._in_turn == 1, every=0.001, what="one thread in turn")


def test_work_that_waits_brings_another_thread_in(crew):
    """While a thread waits for a disk another one can answer, however busy the process is meanwhile."""
    give(crew, 1)
    wait_until(lambda: crew._in_turn == 2, every=0.001, what="a second thread")


def test_threads_leave_when_there_is_nothing_to_wait_for(crew):
    """What has waited keeps its thread in turn, and what comes after it and does not wait lets the others go."""
    give(crew, *[1] * 20)
    assert crew._in_turn > 1
    give(crew, *[0] * 50)
    wait_until(lambda: crew._in_turn == 1, every=0.001, what="one thread in turn")


def test_a_wait_is_a_threads_own_and_told_once():
    """Another thread has not waited, and the next piece of work of this one has not either."""
    blocking.note()
    told = []
    other = threading.Thread(target=lambda: told.append(blocking.taken()))
    other.start()
    other.join()
    assert (told, blocking.taken(), blocking.taken()) == ([False], True, False)
