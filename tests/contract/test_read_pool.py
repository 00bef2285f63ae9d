"""Reads in autocommit share a bounded number of connections, on both databases."""

import threading

import pytest
import sqlalchemy as sa

from mft_common.database.read_pool import ReadPool
from mft_common.database.statements import Statement
from mft_common.errors import ConfigError, Unavailable
from tests.servers import databases
from tests.servers.processes import wait_until

NUMBERS = sa.Table("numbers", sa.MetaData(), sa.Column("number", sa.Integer, primary_key=True))
ADD = Statement(sa.insert(NUMBERS), ["number"])
ALL = Statement(sa.select(NUMBERS.c.number).order_by(NUMBERS.c.number))


@pytest.fixture
def database(database_url):
    """Return a database with an empty table and at most eight connections, two of them for reads."""
    made = opened(database_url, 8)
    databases.create(made, NUMBERS)
    yield made
    made.close()


def opened(url, pool_size, **options):
    url = sa.make_url(url).update_query_dict({"pool_size": str(pool_size)}).render_as_string(hide_password=False)
    return databases.opened(url, NUMBERS.metadata, **options)


@pytest.fixture
def pool(database):
    """Return a pool of two connections that does not wait for long."""
    made = ReadPool(database.engine, size=2, timeout=0.1)
    yield made
    made.close()


class Held:
    """Reads that hold their connections until they are let go, in threads of their own."""

    def __init__(self, query):
        self.connections, self.errors = [], []
        self._query, self._go, self._threads = query, threading.Event(), []

    def start(self, count):
        for _ in range(count):
            thread = threading.Thread(target=self._run)
            self._threads.append(thread)
            thread.start()

    def _run(self):
        try:
            self._query(self._work)
        except (sa.exc.TimeoutError, Unavailable) as error:
            self.errors.append(error)

    def _work(self, connection):
        self.connections.append(connection)
        assert self._go.wait(20)

    def let_go(self):
        self._go.set()
        for thread in self._threads:
            thread.join(20)


@pytest.mark.parametrize("cached", [False, True])
def test_reads_of_many_threads_hold_no_more_connections_than_the_pool_has(database, cached):
    """Fifty reads at once share two connections, and all of them get their turn."""
    at_once, most, lock = [0], [0], threading.Lock()

    def work(connection):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        ALL.all(connection, {})
        threading.Event().wait(0.01)
        with lock:
            at_once[0] -= 1

    def read(number):
        if cached:
            database.query_cached(number, work)
        else:
            database.query(work)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert at_once == [0]
    assert most == [2]


def test_postgresql_never_sees_more_connections_than_the_pool_size(postgresql_url):
    """Reads, cached reads and transactions of many threads together stay below the limit of the process."""
    database = opened(postgresql_url, 8)
    databases.create(database, NUMBERS)
    counting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    seen = []

    def use(number):
        if number % 3 == 0:
            with database.write() as connection:
                ADD.run(connection, {"number": number})
                seen.append(connection.execute(counting).scalar_one())
        elif number % 3 == 1:
            database.query(lambda connection: ALL.all(connection, {}))
        else:
            database.query_cached(number, lambda connection: ALL.all(connection, {}))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    database.close()
    assert len(seen) == 20
    assert max(seen) <= 8


def test_a_read_that_finds_no_connection_in_time_fails_and_the_pool_recovers(pool):
    """A thread waits for a connection up to the timeout; the next read finds one again."""
    held = Held(pool.run)
    held.start(2)
    wait_until(lambda: len(held.connections) == 2, what="two reads at work")
    with pytest.raises(sa.exc.TimeoutError, match="in use"):
        pool.run(lambda connection: ALL.all(connection, {}))
    held.let_go()
    assert held.errors == []
    assert pool.run(lambda connection: ALL.all(connection, {})) == []


def test_an_exhausted_pool_is_unavailable_with_a_time_to_come_back(database):
    """Services answer 503 with Retry-After to what the database raises then."""
    impatient = opened(database.url.render_as_string(hide_password=False), 8, pool_timeout=0.1)
    held = Held(impatient.query)
    held.start(2)
    wait_until(lambda: len(held.connections) == 2, what="two reads at work")
    with pytest.raises(Unavailable, match="in use") as caught:
        impatient.query(lambda connection: ALL.all(connection, {}))
    assert caught.value.retry_after > 0
    held.let_go()
    impatient.close()


@pytest.mark.parametrize("size", ["3", "0", "-1", "many"])
def test_a_pool_that_is_too_small_is_refused(tmp_path, size):
    """A process needs a few connections; the size is checked when the database is opened."""
    with pytest.raises(ConfigError, match="pool_size"):
        opened(f"sqlite:///{tmp_path}/a.db", size)


def test_an_idle_connection_is_used_again_and_sees_each_commit(database, pool):
    """One connection serves one read after the other."""
    used = set()

    def work(connection):
        used.add(connection)
        return ALL.all(connection, {})

    assert pool.run(work) == []
    with database.write() as connection:
        ADD.run_many(connection, [{"number": number} for number in range(3)])
    assert len(pool.run(work)) == 3
    assert len(used) == 1


def test_a_broken_idle_connection_is_replaced_once(pool):
    """A read is repeated on a new connection; where that one breaks as well, the error is raised."""
    used = []

    def break_at_second(connection):
        used.append(connection)
        if len(used) == 2:
            raise sa.exc.OperationalError("read", None, Exception("gone"))
        return ALL.all(connection, {})

    pool.run(break_at_second)
    assert pool.run(break_at_second) == []
    assert used[0] is used[1]
    assert used[2] is not used[1]

    def always(_connection):
        raise sa.exc.OperationalError("read", None, Exception("gone"))

    for _ in range(3):
        with pytest.raises(sa.exc.OperationalError):
            pool.run(always)
    assert pool.run(break_at_second) == []


def test_an_error_that_is_not_the_databases_keeps_the_connection(pool):
    """A caller that refuses within its read costs no connection."""
    used = []

    def refuse(connection):
        used.append(connection)
        raise Unavailable("not now")

    for _ in range(2):
        with pytest.raises(Unavailable):
            pool.run(refuse)
    assert used[0] is used[1]
