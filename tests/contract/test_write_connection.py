"""The fast writer for transactions that follow one another, on both databases."""

import threading

import pytest
import sqlalchemy as sa

from mft_common.errors import Unavailable
from tests.servers import databases

NUMBERS = sa.Table("numbers", sa.MetaData(), sa.Column("number", sa.Integer, primary_key=True))


def opened(url):
    """Return a database with a table of numbers."""
    made = databases.opened(url, NUMBERS.metadata)
    databases.create(made, NUMBERS)
    return made


@pytest.fixture
def database(database_url):
    """Return a database of either kind."""
    made = opened(database_url)
    yield made
    made.close()


@pytest.fixture
def local(tmp_path):
    """Return a SQLite database, whose writer keeps its connection."""
    made = opened(f"sqlite:///{tmp_path}/local.db")
    yield made
    made.close()


def add(write, *values):
    """Add numbers in one transaction."""
    with write() as connection:
        for number in values:
            connection.execute(sa.insert(NUMBERS).values(number=number))


def add_and_fail(block, number, error, connection=None):
    """Add a number and raise an error in one block."""
    with block() as given:
        (connection or given).execute(sa.insert(NUMBERS).values(number=number))
        raise error


def kept(database):
    with database.read() as connection:
        return list(connection.execute(sa.select(NUMBERS.c.number).order_by(NUMBERS.c.number)).scalars())


def test_each_block_is_one_committed_transaction(database):
    """Other connections see a transaction at its end, and not before."""
    write = database.writer()
    for number in range(3):
        with write() as connection:
            connection.execute(sa.insert(NUMBERS).values(number=number))
            assert kept(database) == list(range(number))
    assert kept(database) == [0, 1, 2]


def test_a_failed_transaction_is_rolled_back_and_the_next_one_works(database):
    """The writer works after an error of the caller and after one of the database."""
    write = database.writer()
    with pytest.raises(ValueError, match="mine"):
        add_and_fail(write, 1, ValueError("mine"))
    with pytest.raises(sa.exc.IntegrityError):
        add(write, 2, 2)
    with write() as connection:
        connection.execute(sa.insert(NUMBERS).values(number=3))
    assert kept(database) == [3]


def test_a_savepoint_is_rolled_back_alone(database):
    """A part of a transaction can fail without the rest."""
    write = database.writer()
    for number in (1, 3):
        with write() as connection:
            connection.execute(sa.insert(NUMBERS).values(number=number))
            with pytest.raises(ValueError, match="inner"):
                add_and_fail(connection.begin_nested, number + 1, ValueError("inner"), connection)
    assert kept(database) == [1, 3]


def test_writers_of_many_threads_follow_one_another(database):
    """One writer serves several threads one after the other, while another writer works too."""
    writers = (database.writer(), database.writer())

    def add(number):
        with writers[number % 2]() as connection:
            connection.execute(sa.insert(NUMBERS).values(number=number))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert kept(database) == list(range(20))


def test_a_database_that_is_away_is_unavailable(database):
    """An error that passes by itself is raised as Unavailable."""
    write = database.writer()
    with pytest.raises(Unavailable):
        add_and_fail(write, 0, sa.exc.OperationalError("INSERT", None, Exception("gone")))
    with write() as connection:
        connection.execute(sa.insert(NUMBERS).values(number=1))
    assert kept(database) == [1]


def test_a_result_that_is_left_open_does_not_stop_the_writer(local):
    """A result that was not read to its end costs the next caller at most one transaction."""
    write = local.writer()
    add(write, *range(2_000))
    with write() as connection:
        left = connection.execution_options(stream_results=True).execute(sa.select(NUMBERS))
        left.fetchone()
    add(local.write, 3_000)
    done = 0
    for number in (4_000, 5_000):
        try:
            add(write, number)
            done += 1
        except Unavailable:
            continue
    assert done >= 1
    left.close()


def test_closing_does_not_wait_for_a_running_transaction(local):
    """A process that stops does not wait for a transaction that is blocked."""
    write = local.writer()
    began, go = threading.Event(), threading.Event()

    def work():
        with write() as connection:
            connection.execute(sa.insert(NUMBERS).values(number=1))
            began.set()
            assert go.wait(20)

    thread = threading.Thread(target=work)
    thread.start()
    assert began.wait(20)
    closing = threading.Thread(target=local.close)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()
    go.set()
    thread.join(20)
    assert not thread.is_alive()
