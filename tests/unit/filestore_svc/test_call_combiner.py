"""One thread does the work of all that wait for it."""

import threading

import pytest

from filestore_svc.store.call_combiner import CallCombiner
from tests.servers.processes import wait_until


class Held:
    """A server whose first call waits until it is let go; `calls` holds what each call took."""

    def __init__(self, most=100):
        self.calls, self.began, self.go = [], threading.Event(), threading.Event()
        self.call_combiner = CallCombiner(self.serve, most)

    def serve(self, take):
        jobs = take()
        self.calls.append(jobs)
        if jobs == ["first"]:
            self.began.set()
            assert self.go.wait(20)
        if "bad" in jobs:
            raise ValueError(jobs)

    def join_all(self, jobs):
        """Let the first wait at work, all others for their turn, and return what each heard."""
        heard = {}

        def join(job):
            try:
                self.call_combiner.join(job)
                heard[job] = "served"
            except ValueError as error:
                heard[job] = error.args[0]

        threads = [threading.Thread(target=join, args=(job,)) for job in ("first", *jobs)]
        threads[0].start()
        assert self.began.wait(20)
        for count, thread in enumerate(threads[1:], 1):
            thread.start()
            wait_until(lambda count=count: self.call_combiner.waiting == count, what="one more in the queue")
        self.go.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        return heard


def test_all_who_wait_are_served_by_one_call():
    """While one is at work twenty come, and the next call takes them all, in their order."""
    held = Held()
    jobs = [str(number) for number in range(20)]
    assert held.join_all(jobs) == dict.fromkeys(("first", *jobs), "served")
    assert held.calls == [["first"], jobs]


def test_a_call_takes_no_more_than_it_may():
    """The rest is the next one's."""
    held = Held(most=3)
    held.join_all([str(number) for number in range(7)])
    assert held.calls == [["first"], ["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_what_goes_wrong_is_heard_by_those_whom_it_concerns():
    """A call that fails fails for all that it took, and for nobody else."""
    held = Held(most=2)
    assert held.join_all(["a", "bad", "b"]) == {
        "first": "served",
        "a": ["a", "bad"],
        "bad": ["a", "bad"],
        "b": "served",
    }


def test_a_call_that_fails_before_it_takes_anybody_is_heard_too():
    """Every waiting thread is served."""

    def serve(_take):
        raise OSError("no disk")

    call_combiner = CallCombiner(serve, 10)
    for _ in range(2):
        with pytest.raises(OSError, match="no disk"):
            call_combiner.join(None)


def test_thousands_of_joins_from_many_threads_all_return():
    """No wake-up is lost, whoever comes when."""
    served = []
    call_combiner = CallCombiner(lambda take: served.extend(take()), 5)
    threads = [
        threading.Thread(target=lambda: [call_combiner.join(number) for number in range(300)]) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert sorted(served) == sorted(list(range(300)) * 12)
