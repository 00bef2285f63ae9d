"""The turns of the writers of one SQLite database, over threads, processes and forks."""

import errno
import fcntl
import os
import threading

import pytest
import sqlalchemy as sa

from mft_common.database.turns import Turns
from mft_common.errors import Unavailable
from tests.servers import databases
from tests.servers.processes import wait_until

COUNTER = sa.Table(
    "counter", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("value", sa.Integer)
)


@pytest.fixture
def path(tmp_path):
    """Return the file of a database."""
    return str(tmp_path / "turns.db")


def test_writers_of_two_openings_lose_no_change(path):
    """Threads that write over two openings of one database at once change it one after another."""
    first, second = (databases.opened(f"sqlite:///{path}", COUNTER.metadata) for _ in range(2))
    databases.create(first, COUNTER)
    with first.write() as connection:
        connection.execute(sa.insert(COUNTER).values(id=1, value=0))

    def add(database):
        for _ in range(20):
            with database.write() as connection:
                connection.execute(sa.update(COUNTER).values(value=COUNTER.c.value + 1))

    threads = [threading.Thread(target=add, args=(database,)) for database in (first, second) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with first.read() as connection:
        assert connection.execute(sa.select(COUNTER.c.value)).scalar() == 120
    first.close()
    second.close()


@pytest.mark.parametrize("same", [True, False], ids=["same opening", "another opening"])
def test_a_turn_that_does_not_come_in_time_is_unavailable(path, same):
    """A writer whose turn does not come ends with Unavailable, and the one after it gets its turn."""
    held = Turns(path, 30.0)
    other = held if same else Turns(path, 0.05)
    other._within = 0.05
    heard = []

    def late():
        with pytest.raises(Unavailable), other.turn():
            heard.append("a turn")

    with held.turn():
        thread = threading.Thread(target=late)
        thread.start()
        thread.join()
    assert heard == []
    with other.turn():
        heard.append("free again")
    assert heard == ["free again"]


def test_a_process_that_dies_gives_its_turn_up(path):
    """The turn of a process that was killed amid it goes to the next writer."""
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        with Turns(path, 1.0).turn():
            os.write(tell, b"1")
            threading.Event().wait(60)
        os._exit(0)
    assert os.read(told, 1) == b"1"
    with pytest.raises(Unavailable), Turns(path, 0.0).turn():
        pass
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    with Turns(path, 10.0).turn():
        pass
    os.close(told)
    os.close(tell)


def test_a_fork_amid_a_turn_neither_has_the_turn_nor_waits_for_a_lock_of_its_parent(path):
    """A process that was forked amid a turn gets none before its parent gives it up, and one afterwards."""
    turns = Turns(path, 30.0)
    told, tell = os.pipe()
    with turns.turn():
        pid = os.fork()
        if not pid:
            turns._within = 0.05
            try:
                with turns.turn():
                    os.write(tell, b"both")
            except Unavailable:
                os.write(tell, b"none")
            turns._within = 30.0
            with turns.turn():
                os.write(tell, b" then its own")
            os._exit(0)
        assert os.read(told, 4) == b"none"
    wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, within=30, what="the end of the fork")
    assert os.read(told, 20) == b" then its own"
    os.close(told)
    os.close(tell)
    turns.close()


def test_a_writer_goes_on_without_a_turn_where_its_file_cannot_be_made(tmp_path):
    """The folder is gone: the write gets SQLite's own answer, and the next one, with the folder back, a turn."""
    turns = Turns(str(tmp_path / "gone" / "one.db"), 1.0)
    with turns.turn():
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "gone").mkdir()
    with turns.turn():
        assert [path.name for path in (tmp_path / "gone").iterdir()] == ["one.db.turns"]
    turns.close()


def _fail(monkeypatch, code, times):
    """Let the next locks of files fail with an error of the system; return those that are left."""
    flock, left = fcntl.flock, [code] * times

    def failing(descriptor, operation):
        if operation != fcntl.LOCK_UN and left:
            raise OSError(left.pop(), "failed")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", failing)
    return left


def test_a_system_without_locks_for_a_moment_delays_a_turn(path, monkeypatch):
    """ENOLCK ends when others give their locks up: the writer asks again and gets its turn."""
    turns = Turns(path, 30.0)
    left = _fail(monkeypatch, errno.ENOLCK, 3)
    with turns.turn():
        assert left == []
    turns.close()


@pytest.mark.parametrize(("code", "name"), [(errno.ENOLCK, "ENOLCK"), (errno.EIO, "EIO")])
def test_a_lock_that_the_system_refuses_is_unavailable(path, monkeypatch, code, name):
    """The callers get the error that they handle, with the name of the system's; the next writer gets its turn."""
    turns = Turns(path, 0.0)
    _fail(monkeypatch, code, 1)
    with pytest.raises(Unavailable, match=name), turns.turn():
        pass
    with turns.turn():
        pass
    turns.close()
