"""The records of what jobs have left, on both kinds of database: claimed by one worker, tried later each time."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from diplomat_svc.domain.jobs import Job, Requester
from diplomat_svc.domain.states import COMPLETE
from diplomat_svc.domain.transactions import Destination, Source, Transaction
from diplomat_svc.store import jobs, sweeps, transactions
from diplomat_svc.store.tables import open_database


def _transaction(name):
    source, destination = Source(url="file:from", files=("*",)), Destination(url=f"file:to/{name}")
    return Transaction(name=name, direction="outbound", source=source, destination=destination)


@pytest.fixture
def database(database_url):
    """Return a database with six jobs of two transactions, all of which may have left temporary files."""
    made = open_database(database_url)
    definitions = [_transaction("one"), _transaction("two")]
    with made.write() as connection:
        assert transactions.apply(connection, definitions, 1) == []
        for number in range(1, 7):
            definition = definitions[number % 2]
            found = transactions.find(connection, name=definition.name)
            job = Job(
                sequence=number, transaction_id=found.id, definition=definition, requester=Requester(account="a"),
                transfer_id=f"{number:048}", scheduled_at=number, updated_at=number, status=COMPLETE,
            )  # fmt: skip
            jobs.add(connection, job, "r")
            sweeps.add(connection, number, 100)
            sweeps.add(connection, number, 900)
    yield made
    made.close()


def claim(database, now, most=8, busy=()):
    """Return the sequences of what a worker claims."""
    with database.write() as connection:
        return [each.job.sequence for each in sweeps.claim(connection, now, most, busy)]


def test_a_removal_is_due_from_its_time_on_and_later_each_time(database):
    """The first pause is a minute, each later one is twice the last, and none is more than an hour."""
    with database.write() as connection:
        for number in range(2, 7):
            sweeps.remove(connection, number)
    assert not database.query(lambda each: sweeps.any_due(each, 99))
    assert claim(database, 99) == []
    now, pauses = 100, []
    for _ in range(9):
        assert claim(database, now) == [1]
        before = now
        while not claim_is_due(database, now):
            now += 60_000
        pauses.append((now - before) // 60_000)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def claim_is_due(database, now):
    """Return whether any removal is due."""
    return database.query(lambda each: sweeps.any_due(each, now))


def test_one_destination_is_claimed_once_at_a_time(database):
    """The jobs of a far side that hangs wait for each other, and no other far side waits for them."""
    assert claim(database, 100) == [1, 2]
    assert claim(database, 100, busy=["file:to/two"]) == [4]
    assert claim(database, 100, most=1) == [3]
    with database.write() as connection:
        sweeps.put_back(connection, 1, 100)
        sweeps.remove(connection, 2)
    assert claim(database, 100) == [1, 6]


def test_workers_that_claim_at_the_same_time_share_the_removals(database):
    """No removal is claimed by two."""
    with ThreadPoolExecutor(4) as pool:
        claimed = [one for some in pool.map(lambda _: claim(database, 100), range(12)) for one in some]
    assert sorted(claimed) == [1, 2, 3, 4, 5, 6]
