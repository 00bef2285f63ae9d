import threading

from structlog.testing import capture_logs

from mft_common.errors import Unavailable
from mft_common.process.background_tasks import BackgroundTask, begin_after, keep_running, periodic_task, run_tasks
from tests.servers.stopwatch import Stopwatch


class Stop(threading.Event):
    """An event that notes how long it was waited for, and is set after some waits."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._waits = waits

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        if len(self.pauses) == self._waits:
            self.set()
        return self.is_set()


def test_a_task_that_fails_is_restarted_and_the_others_go_on():
    """One task's exception costs nothing but its own restart."""
    stop, tries, others = threading.Event(), [], []

    def fails(_stop):
        tries.append(1)
        if len(tries) == 2:
            stop.set()
        raise RuntimeError("broken")

    def lives(stopped):
        others.append(1)
        stopped.wait()

    run_tasks([BackgroundTask("fails", fails), BackgroundTask("lives", lives)], stop)
    assert len(tries) == 2
    assert others == [1]


def test_a_task_that_worked_for_long_before_it_failed_is_restarted_soon():
    """Failures that follow one another at once lengthen the pauses; one after an hour of work begins anew."""
    at, durations = [0.0], iter([0.0, 0.0, 0.0, 3600.0, 0.0])
    stop = Stop(5)

    def fails(_stop):
        at[0] += next(durations)
        raise RuntimeError("broken")

    keep_running(BackgroundTask("fails", fails), stop, now=lambda: at[0])
    assert stop.pauses == [0.2, 0.4, 0.8, 0.2, 0.4]


def test_tasks_that_do_not_end_share_one_grace_time():
    """Many of them hold a stop up no longer than one."""
    stop, over, running = threading.Event(), threading.Event(), threading.Barrier(21)

    def stays(_stop):
        running.wait()
        over.wait()

    def ask_to_stop():
        running.wait()
        stop.set()

    threading.Thread(target=ask_to_stop).start()
    since = Stopwatch()
    run_tasks([BackgroundTask(f"stays-{number}", stays) for number in range(20)], stop, grace=0.2)
    assert since.seconds < 2
    over.set()


def test_a_dependency_that_is_away_is_one_line_of_the_log():
    """A task that cannot reach its database is restarted like any other, and logged without a traceback."""
    stop = Stop(2)

    def away(_stop):
        raise Unavailable("the database does not answer")

    with capture_logs() as lines:
        keep_running(BackgroundTask("away", away), stop)
    assert [line["event"] for line in lines] == ["task.waiting"] * 2
    assert not any("exc_info" in line for line in lines)


def test_a_task_that_begins_after_another_waits_for_it():
    """It does nothing before, and ends with the worker where its time never comes."""
    begun, stop, seen = threading.Event(), threading.Event(), []
    task = begin_after(begun, BackgroundTask("late", lambda _stop: seen.append(begun.is_set())))
    stop.set()
    task.run(stop)
    assert (task.name, seen) == ("late", [])
    begun.set()
    task.run(stop)
    assert seen == [True]


def test_a_periodic_task_waits_first_and_then_between_its_calls():
    """The first pause is that of the start, the others that of the period; a call that fails ends the run."""
    stop, calls = Stop(waits=4), []
    periodic_task("work", lambda: calls.append(1), every=60.0, first=5.0).run(stop)
    assert (stop.pauses, len(calls)) == ([5.0, 60.0, 60.0, 60.0], 3)

    def away():
        raise Unavailable("away")

    stop = Stop(waits=3)
    with capture_logs() as written:
        keep_running(periodic_task("work", away, every=60.0, first=5.0), stop)
    assert stop.pauses[::2] == [5.0, 5.0]
    assert [one["event"] for one in written] == ["task.waiting"]
