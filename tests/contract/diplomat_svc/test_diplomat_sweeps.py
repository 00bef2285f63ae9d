"""The jobs whose files are to be removed, on both kinds of database; of the claims themselves see `test_sweeps.py`."""

import pytest

from diplomat_svc.domain.jobs import Job, Requester
from diplomat_svc.domain.states import COMPLETE
from diplomat_svc.domain.transactions import Destination, Source, Transaction
from diplomat_svc.store import jobs, sweeps, transactions
from diplomat_svc.store.tables import SWEEPS, open_database


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
            SWEEPS.add(connection, number, 100)
            SWEEPS.add(connection, number, 900)
    yield made
    made.close()


def claim(database, now, most=8, busy=()):
    """Return the sequences of what a sweeper claims."""
    with database.write() as connection:
        places = lambda keys: sweeps.destinations(connection, keys)  # noqa: E731
        return [each.key for each in SWEEPS.claim(connection, now, most, places, busy)]


def test_the_place_of_a_removal_is_the_destination_of_its_job(database):
    """The jobs of a far side that hangs wait for each other, and no other far side waits for them."""
    assert claim(database, 100) == [1, 2]
    assert claim(database, 100, busy=["file:to/two"]) == [4]
    assert claim(database, 100, most=1) == [3]
