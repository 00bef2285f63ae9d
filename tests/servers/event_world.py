"""A minimal producer and consumer of events, for tests, benches and the programs that tests kill."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from filestore_svc.domain.client_transfers import UploadCompleted
from filestore_svc.events import COMPOSITES
from mft_common.clock import Clock, now_ms
from mft_common.database import Database
from mft_common.events import Envelope, Event, FileDeleted, FileStored, Handlers, Inbox, Outbox, RetryPolicy, tables
from mft_common.events.bus import Bus
from mft_common.events.catalogue import register_composites
from mft_common.events.local_bus import LocalBus
from mft_common.events.rabbit import RabbitBus
from mft_common.process.background_tasks import BackgroundTask, start_tasks

# Consumers and relays of the tests read the composites that the producer writes.
register_composites(COMPOSITES)

PRODUCER = "filestore-svc"
CONSUMER = "diplomat-svc"
TOPOLOGY: dict[str, tuple[type[Event], ...]] = {CONSUMER: (FileStored,)}
QUICK_RETRIES = RetryPolicy(attempts=3, first_pause=20, longest_pause=100)
TRANSFER_ID = "414D5120514D31202020202020202020" + "0" * 15 + "1"
HEAD = "0001"


def stored(path: str) -> FileStored:
    """Return an event about `path`."""
    return FileStored(
        account="part1",
        address="192.0.2.7",
        path=path,
        fileset=17,
        size=4096,
        sha256="a" * 64,
        datatype="text/csv",
        transfer_id=TRANSFER_ID,
    )


def uploaded(path: str) -> UploadCompleted:
    """Return the composite of an upload; the consumer is sent the first of its events."""
    return UploadCompleted(
        transfer_id=TRANSFER_ID,
        account="part1",
        address="192.0.2.7",
        label="",
        path=path,
        fileset=17,
        size=4096,
        sha256="a" * 64,
        datatype="text/csv",
        submitted_at=1_790_000_000_000,
        modified_at=1_790_000_000_000,
        ended_at=1_790_000_000_500,
        source="a.csv",
    )


def deleted(path: str) -> FileDeleted:
    """Return an event that has no consumer here."""
    return FileDeleted(
        account="part1",
        address="192.0.2.7",
        path=path,
        fileset=17,
        size=4096,
        sha256="a" * 64,
        datatype="text/csv",
        reason="expired",
    )


class Producer:
    """A database with an outbox."""

    def __init__(self, url: str, name: str = PRODUCER, *, now: Clock = now_ms) -> None:
        metadata = sa.MetaData()
        self.outbox = Outbox(name, metadata, now=now)
        self.database = Database(url, schema=name, metadata=metadata, migrations="", head=HEAD)

    def create(self) -> None:
        """Create the tables as a migration does."""
        with _migration(self.database) as op:
            tables.create_outbox(op)
        self.start()

    def start(self) -> None:
        """Prepare the tables for this start, as every process of a producer does before it serves."""
        self.database.migrate(tables.enter_cluster)

    def commit(self, *events: Event) -> None:
        """Commit events."""
        with self.database.write() as connection:
            self.outbox.add(connection, *events)

    def unpublished(self) -> int:
        """Count the rows that no broker has confirmed."""
        query = sa.select(sa.func.count()).where(sa.not_(self.outbox.table.c.published))
        with self.database.read() as connection:
            return int(connection.execute(query).scalar_one())


class Consumer:
    """A database with an inbox, and a table with one row for each effect, which shows repeated effects."""

    def __init__(self, url: str) -> None:
        metadata = sa.MetaData()
        self.outbox = Outbox(CONSUMER, metadata)
        self.inbox = Inbox(metadata)
        self.effects = sa.Table(
            "effects", metadata, sa.Column("number", sa.Integer, primary_key=True), sa.Column("path", sa.Text)
        )
        self.database = Database(url, schema=CONSUMER, metadata=metadata, migrations="", head=HEAD)

    def create(self) -> None:
        """Create the tables as a migration does."""
        with _migration(self.database) as op:
            tables.create_outbox(op)
            tables.create_inbox(op)
            self.effects.create(op.get_bind())
        self.start()

    def start(self) -> None:
        """Prepare the tables for this start; a consumer has an outbox too."""
        self.database.migrate(tables.enter_cluster)

    def handlers(self, before: Callable[[str], None] = lambda _path: None) -> Handlers:
        """Return the handlers: an event's effect is one row; `before` is called first, with the path."""
        insert = self.effects.insert().inline()

        def on_stored(connection: sa.Connection, envelope: Envelope[Any]) -> None:
            before(envelope.data.path)
            connection.execute(insert, {"path": envelope.data.path})

        return {FileStored: on_stored}

    def seen(self) -> Counter[str]:
        """Return how often each path had its effect."""
        with self.database.read() as connection:
            return Counter(connection.execute(sa.select(self.effects.c.path)).scalars())

    def count(self) -> int:
        """Return how many effects there were."""
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(self.effects)).scalar_one())

    def order(self) -> list[str]:
        """Return the paths in the order of their effects."""
        with self.database.read() as connection:
            return list(connection.execute(sa.select(self.effects.c.path).order_by(self.effects.c.number)).scalars())


class World:
    """One producer, one consumer, and the bus between them: LocalBus without `amqp`. `now` dates the events."""

    def __init__(self, producer_url: str, consumer_url: str, amqp: str | None, *, now: Clock = now_ms) -> None:
        self.urls = (producer_url, consumer_url)
        self.amqp = amqp
        self.producer = Producer(producer_url, now=now)
        self.consumer = Consumer(consumer_url)
        self._buses: list[Bus] = []

    def bus(self, amqp: str | None = None, **options: Any) -> Bus:
        """Return a new bus, closed with the world; `amqp` is another address of the same broker."""
        options = {"consumers": TOPOLOGY, "retries": QUICK_RETRIES, **options}
        made: Bus
        if self.amqp is None:
            made = LocalBus({PRODUCER: self.producer.database, CONSUMER: self.consumer.database}, **options)
        else:
            made = RabbitBus(amqp or self.amqp, **options)
        self._buses.append(made)
        return made

    def start(self) -> None:
        """Prepare the tables of both databases for this start."""
        self.producer.start()
        self.consumer.start()

    def relay(self, bus: Bus) -> list[BackgroundTask]:
        """Return the producer's tasks."""
        return bus.relay_tasks(self.producer.database, self.producer.outbox)

    def consume(self, bus: Bus, before: Callable[[str], None] = lambda _path: None) -> list[BackgroundTask]:
        """Return the consumer's tasks."""
        consumer = self.consumer
        return bus.consume_tasks(CONSUMER, consumer.database, consumer.inbox, consumer.handlers(before))

    def close(self) -> None:
        """Close the buses and both databases."""
        for bus in self._buses:
            bus.close()
        self.producer.database.close()
        self.consumer.database.close()


@contextmanager
def running(tasks: Sequence[BackgroundTask]) -> Iterator[threading.Event]:
    """Run tasks during the block, and assert that they end."""
    stop = threading.Event()
    threads = start_tasks(tasks, stop)
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads), "a task did not end in time"


@contextmanager
def _migration(database: Database) -> Iterator[Operations]:
    with database.write() as connection:
        if database.dialect == "postgresql":
            connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{database.schema}"')
        op = Operations(MigrationContext.configure(connection))
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{HEAD}')")
        yield op
