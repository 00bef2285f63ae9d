"""Workers that record the same transfers at the same time, over each kind of database."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mft_common.clock import now_ms
from mqmft_svc import bootstrap
from mqmft_svc.schemas.transferlog import read_message
from mqmft_svc.settings import Settings
from mqmft_svc.store import deliveries
from mqmft_svc.store import transfers as store
from tests.unit.mqmft_svc import transferlog_messages as messages

WORKERS = 4
ROUNDS = 8
TRANSFERS = 12


def built(url):
    """Build a service that keeps no transfer for longer than a day."""
    environ = {"MQMFT_DATABASE_URL": url, "MQMFT_COORDINATION_QMGR": "QM1", "MQMFT_KEEP_DAYS": "1"}
    return bootstrap.build(Settings.from_env(environ), directory=object(), config={})


@pytest.fixture
def service(database_url):
    """A service over each kind of database."""
    made = built(database_url)
    yield made
    made.close()


@pytest.fixture
def on_postgresql(postgresql_url):
    """A service over PostgreSQL, where transactions run at the same time."""
    made = built(postgresql_url)
    yield made
    made.close()


def id_of(number, place):
    """Return the id of a transfer."""
    return f"414D51204D4654484142524F5554452E{number:08X}{place:08X}"


def record(service, *bodies):
    """Record messages in one transaction."""
    with service.database.write() as connection:
        service.operations.recorder.record(connection, [read_message(body, "mq") for body in bodies])


def work(service, number, seed, gate):
    """Record the same transfers as the other workers, in orders and groups of its own."""
    chance = random.Random(seed)
    gate.wait()
    for _ in range(6):
        places = chance.sample(range(TRANSFERS), chance.randint(2, 8))
        record(service, *(messages.started(id_=id_of(number, place)) for place in places))


def test_workers_with_the_same_transfers_in_different_orders_never_deadlock(service):
    """New transfers are inserted and known ones locked in one order, so that no transaction is rolled back."""
    for number in range(ROUNDS):
        gate = threading.Barrier(WORKERS)
        with ThreadPoolExecutor(WORKERS) as pool:
            seeds = range(number * WORKERS, (number + 1) * WORKERS)
            running = [pool.submit(work, service, number, seed, gate) for seed in seeds]
        for one in running:
            one.result()


def test_200_a_purge_waits_for_no_worker_that_changes_an_old_transfer(on_postgresql):
    """Item 200: a transfer that is being changed is left for the next purge, and the others are deleted."""
    database = on_postgresql.database
    ids = [id_of(0, place) for place in range(3)]
    record(on_postgresql, *(messages.completed(id_=id_) for id_ in ids))
    with database.write() as connection:
        assert list(store.lock(connection, ids[1:2])) == ids[1:2]
        with database.write() as other:
            assert store.delete_older(other, now_ms(), 10) == 2
    assert on_postgresql.operations.recorder.purge() == 1


def test_a_purge_of_deliveries_waits_for_no_worker_that_stores_one(on_postgresql):
    """A worker stores the places of a batch in order, and a purge takes them in another: in turn both would wait."""
    database = on_postgresql.database
    rows = [{"place": bytes([number]), "transfer": "T", "size": 1, "at": 1} for number in range(3)]
    with database.write() as connection:
        deliveries.DELIVERIES.note(connection, rows)
    with database.write() as connection:
        deliveries.DELIVERIES.note(connection, [{**rows[1], "at": 9}])
        with database.write() as other:
            assert deliveries.DELIVERIES.purge(other, 5, 10) == 2
    with database.read() as connection:
        assert deliveries.DELIVERIES.find(connection, [bytes([1])], None) == "T"


def test_an_older_delivery_that_comes_again_replaces_no_newer_one(service):
    """Its event is delivered again, or after that of the newer one, in the same batch too."""
    place = b"place"
    older = {"place": place, "transfer": "A", "size": 1, "at": 5}
    newer = {"place": place, "transfer": "B", "size": 2, "at": 9}
    same = {"place": place, "transfer": "A", "size": 3, "at": 9}
    for batches in ([[newer], [older]], [[newer, older]], [[older], [newer], [older, same]]):
        with service.database.write() as connection:
            deliveries.DELIVERIES.purge(connection, 10, 10)
            for batch in batches:
                deliveries.DELIVERIES.note(connection, batch)
            assert deliveries.DELIVERIES.find(connection, [place], 2) == "B"
            assert deliveries.DELIVERIES.find(connection, [place], 1) is None
