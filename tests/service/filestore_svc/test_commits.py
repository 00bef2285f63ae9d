import threading

import pytest
import sqlalchemy as sa

from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import deleted_blobs
from mft_common import logs
from tests.servers.processes import wait_until

WRITERS = 100


def kept(database):
    """Return what is committed."""
    with database.read() as connection:
        return set(connection.execute(sa.select(deleted_blobs.c.fileset)).scalars())


def add(number):
    """Return work that adds a row, and fails afterwards for every tenth."""

    def work(connection):
        connection.execute(sa.insert(deleted_blobs).values(fileset=number, deleted_at=0))
        if number % 10 == 0:
            raise ValueError(number)
        return number

    return work


def test_each_of_many_writers_hears_of_its_own_work(lab):
    """A hundred writers share commits; each gets its own result, and the failed ones are undone."""
    commits = Commits(lab.service.database)
    began, go = threading.Event(), threading.Event()
    told = {}

    def hold(_connection):
        began.set()
        assert go.wait(20)

    def write(number):
        try:
            told[number] = commits.run(add(number))
            assert number in kept(lab.service.database)
        except ValueError as error:
            told[number] = error.args

    threads = [threading.Thread(target=commits.run, args=(hold,))]
    threads[0].start()
    assert began.wait(20)
    threads += [threading.Thread(target=write, args=(number,)) for number in range(1, WRITERS + 1)]
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: commits.waiting == WRITERS, what="all writers in the queue")
    go.set()
    for thread in threads:
        thread.join()
    good = {number for number in range(1, WRITERS + 1) if number % 10}
    assert told == {number: number if number in good else (number,) for number in range(1, WRITERS + 1)}
    assert kept(lab.service.database) == good


def test_a_fault_in_the_sql_of_one_writer_fails_no_other(lab):
    """SQLite calls a wrong statement an OperationalError, like a database that is away; only its own writer gets it."""
    commits = Commits(lab.service.database)
    began, go = threading.Event(), threading.Event()
    outcomes = {}

    def hold(_connection):
        began.set()
        assert go.wait(20)

    def wrong(connection):
        connection.execute(sa.text("SELECT nothing FROM nowhere"))

    def write(name, work):
        try:
            outcomes[name] = commits.run(work)
        except sa.exc.DBAPIError:
            outcomes[name] = "failed"

    threads = [threading.Thread(target=commits.run, args=(hold,))]
    threads[0].start()
    assert began.wait(20)
    threads += [threading.Thread(target=write, args=each) for each in (("wrong", wrong), ("good", add(11)))]
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: commits.waiting == 2, what="both writers in the queue")
    go.set()
    for thread in threads:
        thread.join()
    assert outcomes == {"wrong": "failed", "good": 11}
    assert kept(lab.service.database) == {11}


def test_work_that_fails_alone_is_undone(lab):
    """A single writer gets its error, and its changes are rolled back."""
    commits = Commits(lab.service.database)
    with pytest.raises(ValueError, match="10"):
        commits.run(add(10))
    assert commits.run(add(11)) == 11
    assert kept(lab.service.database) == {11}


def test_two_processes_take_turns(lab):
    """A writer waits for another process that holds the lock, and both commit."""
    mine, other = Commits(lab.service.database), Commits(lab.service.database)
    threads = [
        threading.Thread(target=each.run, args=(add(number),))
        for number, each in enumerate((mine, other) * 20, 1000)
        if number % 10
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept(lab.service.database)) == len(threads)


def test_work_is_done_for_the_request_that_brought_it(lab):
    """Each piece of work has its own request id, whichever thread commits it."""
    commits = Commits(lab.service.database)
    began, go = threading.Event(), threading.Event()
    heard = {}

    def hold(_connection):
        began.set()
        assert go.wait(20)

    def write(number):
        with logs.request_scope(f"request-{number}"):
            heard[number] = commits.run(lambda _connection: logs.request_id())

    threads = [threading.Thread(target=commits.run, args=(hold,))]
    threads += [threading.Thread(target=write, args=(number,)) for number in range(10)]
    threads[0].start()
    assert began.wait(20)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: commits.waiting == 10, what="all writers in the queue")
    go.set()
    for thread in threads:
        thread.join()
    assert heard == {number: f"request-{number}" for number in range(10)}
