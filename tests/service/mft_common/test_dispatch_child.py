"""The child of one attempt of a piece of work: ends that come at any moment, and a database that is away."""

import os

import pytest

from mft_common.dispatch import Child, until_written
from mft_common.errors import Unavailable
from mft_common.process.runner import Runner, child_environment

WORK = "tests.servers.pieces_of_work"
WAIT, ASK = f"{WORK}:until_stopped", f"{WORK}:echo"


@pytest.fixture(scope="module")
def runner():
    """Return a runner whose fork server has the work imported."""
    with Runner("test", [WORK], environment=child_environment(os.environ)) as made:
        yield made


class Late:
    """A runner that is asked to end its child, by `then`, before anybody has the child's handle."""

    def __init__(self, runner, then):
        self._runner = runner
        self._then = then

    def run(self, *arguments):
        """See Runner."""
        handle = self._runner.run(*arguments)
        self._then()
        return handle


@pytest.mark.parametrize(("way", "completed"), [("stop", True), ("kill", False)])
@pytest.mark.parametrize("late", [False, True])
def test_a_request_to_end_counts_also_before_the_child_is_there(runner, way, completed, late):
    """Before the call to the runner and within it; the first word stands."""
    child = Child(Late(runner, lambda: getattr(child, way)("first")) if late else runner)
    if not late:
        getattr(child, way)("first")
    end = child.run(WAIT, {}, lambda _kind, _data: None)
    child.note("second")
    assert (end.completed, child.asked) == (completed, "first")


def test_a_running_child_is_ended_by_either_request(runner):
    """By a stop between two steps, and by a kill at once."""
    for way, completed in (("stop", True), ("kill", False)):
        child = Child(runner)
        end = child.run(WAIT, {}, lambda _kind, _data, each=child, way=way: getattr(each, way)("x"))
        assert end.completed == completed


def test_a_message_waits_for_a_database_that_is_away(runner):
    """The child gets its answer once the write has succeeded, and hears nothing of the tries before."""
    tries = []

    def write(kind, _data):
        if kind != "question":
            return None
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("away")
        return "written"

    end = Child(runner).run(ASK, {}, write)
    assert (end.result["answer"], len(tries)) == ("written", 3)


def test_a_killed_child_waits_for_no_database(runner):
    """Its last message is given up; the kill is not held up."""
    child = Child(runner)

    def write(_kind, _data):
        child.kill("x")
        raise Unavailable("away")

    end = child.run(ASK, {}, write)
    assert (end.completed, isinstance(end.refusal, Unavailable)) == (False, True)


def test_a_write_is_repeated_until_it_succeeds_or_may_wait_no_longer():
    """Other errors are raised at once."""
    answers = iter([Unavailable("away"), Unavailable("away"), None])

    def write():
        if (answer := next(answers)) is not None:
            raise answer
        return "written"

    assert until_written(write) == "written"
    answers = iter([ValueError("wrong")])
    with pytest.raises(ValueError, match="wrong"):
        until_written(write)
    answers = iter([Unavailable("away")])
    with pytest.raises(Unavailable):
        until_written(write, lambda: False)
