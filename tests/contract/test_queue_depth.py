"""The depths of the services' queues, on both databases, with the tables and indexes of their migrations."""

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

import diplomat_svc.migrations
import diplomat_svc.store.tables
import mqmft_svc.migrations
import mqmft_svc.store.tables
import sertainty_svc.migrations
import sertainty_svc.store.tables
from diplomat_svc.store.queue_depth import JOBS
from mft_common.database import Database
from mqmft_svc.store.queue_depth import CALLS, TRANSFERS
from sertainty_svc.store.queue_depth import EXECUTIONS

NOW = 1_000_000
QUEUES = {"job": JOBS, "transfer": TRANSFERS, "call": CALLS, "execution": EXECUTIONS}
PACKAGES = {"job": diplomat_svc, "transfer": mqmft_svc, "call": mqmft_svc, "execution": sertainty_svc}
OVER = {"job": "Complete", "transfer": "over", "call": "over", "execution": "over"}


@pytest.fixture(params=sorted(QUEUES))
def queue(request):
    return QUEUES[request.param]


@pytest.fixture
def database(queue, database_url):
    package = PACKAGES[queue.kind]
    made = Database(
        database_url,
        schema="sample-svc",
        metadata=package.store.tables.metadata,
        migrations=f"{package.__name__}.migrations",
        head=package.migrations.HEAD,
    )
    made.migrate()
    yield made
    made.close()


def any_row(table, number):
    """Return a row of a table: each column that has to have a value has one of its type."""
    needed = [
        column for column in table.columns if column.primary_key or not (column.nullable or column.server_default)
    ]
    return {column.name: column.type.python_type(number) for column in needed}


def add(connection, queue, number, status, *, queued_at, due_at=0):
    """Insert a row with a status and its times; every other column has any value."""
    values = any_row(queue.status.table, number)
    if queue.kind == "job":
        transactions = diplomat_svc.store.tables.transactions
        connection.execute(sa.insert(transactions).values(any_row(transactions, number)))
    values |= {queue.status.name: status, queue.queued_at.name: queued_at, queue.due_at.name: due_at}
    connection.execute(sa.insert(queue.status.table).values(values))


def depth(queue):
    """Return the values of the queue's gauges: waiting, running, and the age of the oldest."""
    labels = {"service": "sample-svc", "kind": queue.kind}
    names = ("mft_queue_waiting", "mft_queue_running", "mft_queue_oldest_seconds")
    return tuple(REGISTRY.get_sample_value(name, labels) for name in names)


def measure(database, queue):
    with database.read() as connection:
        queue.measure(connection, "sample-svc", NOW)
    return depth(queue)


def test_a_queue_counts_what_waits_and_what_runs(database, queue):
    """The oldest piece of work waits since it was queued or became due; the history counts as nothing."""
    assert measure(database, queue) == (0, 0, 0)
    with database.write() as connection:
        for number in range(1, 4):
            add(connection, queue, number, OVER[queue.kind], queued_at=number)
        add(connection, queue, 4, queue.running[0], queued_at=4)
    assert measure(database, queue) == (0, 1, 0)
    with database.write() as connection:
        add(connection, queue, 5, queue.waiting[-1], queued_at=5, due_at=NOW + 60_000)
    assert measure(database, queue) == (1, 1, 0)
    with database.write() as connection:
        add(connection, queue, 6, queue.waiting[-1], queued_at=NOW - 7_000)
        add(connection, queue, 7, queue.waiting[-1], queued_at=7, due_at=NOW - 9_000)
    assert measure(database, queue) == (3, 1, 9)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_history_of_a_queue_is_not_read(database, queue):
    """SQLite reads the queue by an index of what is not over."""
    query = sa.select(sa.func.count(), sa.func.min(queue.due_at)).where(queue.unfinished)
    with database.read() as connection:
        text = str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
    assert "INDEX" in plan
