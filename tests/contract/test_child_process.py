"""The process of a piece on both kinds of database: requests at any moment, its messages, and each way to end."""

import pytest
import sqlalchemy as sa

from mft_common.database.leases import Lease, LeaseLost
from mft_common.dispatch import ChildProcess, Limits, until_written
from mft_common.errors import Unavailable
from mft_common.process.runner import Runner, messages
from tests.servers.databases import with_tables
from tests.servers.processes import wait_until
from tests.servers.queued_work import METADATA, MODULE, PIECES, TABLES, PieceProcess, QueuedWork, add, states

LEASE = Lease("", "me", 0, 15.0)


@pytest.fixture(scope="module")
def runner():
    """The runner of all tests."""
    with Runner("test", [MODULE], level="critical") as made:
        yield made


@pytest.fixture
def work(database_url, runner):
    """The queue of pieces in a database."""
    with with_tables(database_url, METADATA, *TABLES) as database:
        yield QueuedWork(database, runner, Limits(1, 15.0, 0.0))


@pytest.fixture
def local(tmp_path, runner):
    """The queue of pieces in a database of SQLite, for what no database decides."""
    with with_tables(f"sqlite:///{tmp_path}/test.db", METADATA, *TABLES) as database:
        yield QueuedWork(database, runner, Limits(1, 15.0, 0.0))


def taken(work, function):
    """Return the process of a piece that this worker has just taken."""
    add(work.database, function)
    begun = []
    assert work.take(LEASE, lambda _number, _request_id, process: begun.append(process))
    return begun[0]


def lose(work):
    """Give the piece to another worker, as the recovery of a frozen one does."""
    with work.database.write() as connection:
        connection.execute(sa.update(PIECES).values(owner="another"))


class Away:
    """A function that the database refuses some times, after which it is called; `calls` counts them all."""

    def __init__(self, function, times, then=lambda: None):
        self.calls, self._function, self._times, self._then = 0, function, times, then

    def __call__(self, *arguments):
        """Call the function, or raise Unavailable; `then` is called before each refusal."""
        self.calls += 1
        if self.calls > self._times:
            return self._function(*arguments)
        self._then()
        raise Unavailable("away")


class Interfering:
    """A runner that calls `then` when its child runs, and nobody has the child's handle yet."""

    def __init__(self, runner, then):
        self._runner, self._then = runner, then

    def run(self, *arguments):
        """See Runner."""
        handle = self._runner.run(*arguments)
        self._then()
        return handle


class Tolerant(PieceProcess):
    """A process that stores the faults which kept its child from the work, as one of a service may."""

    _too_large = ChildProcess._too_large

    def _failed(self, error):
        self._end(type(error).__name__)


@pytest.mark.parametrize("way", ["stop", "kill", "abandon"])
@pytest.mark.parametrize("moment", ["before the start", "within the start", "while it runs", "after its end"])
def test_a_request_to_end_counts_at_any_moment_and_the_first_word_stands(work, runner, moment, way):
    """A child that has ended by itself is left alone, and its piece ends as it was asked to all the same."""

    def request(*_):
        getattr(process, way)("asked")
        process.stop("asked later")

    if moment == "within the start":
        work.runner = Interfering(runner, request)
    elif moment == "while it runs":
        work.on_message = request
    elif moment == "after its end":
        work.end = Away(work.end, 1, request)
    process = taken(work, "first_byte" if moment == "after its end" else "until_stopped")
    if moment == "before the start":
        request()
    process.run()
    process.kill("asked at last")
    assert (states(work.database), process._asked) == (["asked"], "asked")
    assert process.child_end.completed == (way == "stop" or moment == "after its end")


def test_an_end_is_written_again_until_the_database_is_back(work):
    """The child runs once, and its piece has one end."""
    work.end = Away(work.end, 2)
    taken(work, "first_byte").run()
    assert (states(work.database), work.end.calls) == (["done"], 3)
    assert work.begun.acquire(blocking=False)
    assert not work.begun.acquire(blocking=False)


def test_a_message_waits_for_a_database_that_is_away(local):
    """The child gets its answer once the write has succeeded, and hears nothing of the tries before."""
    local.on_message = Away(lambda kind, _data: kind, 2)
    process = taken(local, "echo")
    process.run()
    # Two refusals, two reports and the question.
    assert (process.child_end.result["answer"], local.on_message.calls) == ("question", 5)


def test_a_killed_child_waits_for_no_database(local):
    """Its last message is given up; the kill is not held up."""
    process = taken(local, "echo")
    local.on_message = Away(None, 2, lambda: process.kill("killed"))
    process.run()
    assert (states(local.database), local.on_message.calls) == (["killed"], 1)
    assert isinstance(process.child_end.refusal, Unavailable)


def test_a_piece_that_is_lost_kills_its_child_with_the_next_message(work, runner):
    """The child gets no answer, and no end is stored over that of the next owner."""

    def lost(*_):
        lose(work)
        raise LeaseLost("another worker has it")

    work.on_message = lost
    taken(work, "hang").run()
    assert (states(work.database), work.lost, runner.running) == (["running"], [], 0)


def test_a_piece_that_is_lost_before_its_end_is_stored_is_left_to_its_owner(work):
    """The loss is logged once, and not taken for a database that is away."""
    work.on_message = lambda *_: lose(work)
    taken(work, "first_byte").run()
    assert (states(work.database), work.lost) == (["running"], [1])


@pytest.mark.parametrize("reason", ["PoolFull", "RunnerUnavailable"])
def test_a_piece_without_a_process_is_stored_as_one(work, reason):
    """The pool is full, or has no server any more; what is stored then is repeated as any other end."""
    work.runner, work.end = Runner("test", limit=0 if reason == "PoolFull" else 1), Away(work.end, 1)
    if reason == "RunnerUnavailable":
        work.runner.close()
    taken(work, "first_byte").run()
    assert (states(work.database), work.end.calls) == ([reason], 2)


@pytest.mark.parametrize(("kind", "stored"), [(PieceProcess, "too large"), (Tolerant, "MessageTooLarge")])
def test_a_payload_that_is_too_large_for_a_child_is_stored_as_such(local, runner, kind, stored):
    """Its child ends; a service that tells no such case apart stores it as a fault."""
    taken(local, "first_byte")
    process = kind(local, LEASE, 1, "first_byte")
    process._payload = "x" * messages.LARGEST
    process.run()
    assert states(local.database) == [stored]
    wait_until(lambda: not runner.running)


def test_a_fault_that_keeps_a_child_from_its_work_is_raised_or_stored(local, runner):
    """A piece whose process raises is recovered as a lost one; a service may give it an end instead."""
    taken(local, "first_byte")
    for kind in (PieceProcess, Tolerant):
        process = kind(local, LEASE, 1, "first_byte")
        process._payload = object()
        if kind is PieceProcess:
            with pytest.raises(TypeError):
                process.run()
            assert states(local.database) == ["running"]
        else:
            process.run()
    assert states(local.database) == ["TypeError"]
    wait_until(lambda: not runner.running)


def test_a_write_is_repeated_until_it_succeeds_or_may_wait_no_longer():
    """Other errors are raised at once."""
    write = Away(lambda: "written", 2)
    assert (until_written(write), write.calls) == ("written", 3)
    with pytest.raises(ZeroDivisionError):
        until_written(lambda: 1 / 0)
    with pytest.raises(Unavailable):
        until_written(Away(None, 1), lambda: False)
