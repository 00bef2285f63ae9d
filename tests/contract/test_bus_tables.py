import pytest
import sqlalchemy as sa

from mft_common.errors import MftError
from mft_common.events import Bus, EventError, Inbox, LocalBus, Outbox, tables
from mft_common.events.pruning import prune_inbox, prune_outbox
from mft_common.events.rabbit import RabbitBus
from mft_common.events.relay_queue import published
from mft_common.events.topology import CONSUMERS
from tests.servers.event_world import Consumer, Producer, stored


@pytest.fixture
def producer(tmp_path):
    made = Producer(f"sqlite:///{tmp_path}/producer.db")
    made.create()
    yield made
    made.database.close()


@pytest.fixture
def consumer(tmp_path):
    made = Consumer(f"sqlite:///{tmp_path}/consumer.db")
    made.create()
    yield made
    made.database.close()


def test_both_buses_are_a_bus() -> None:
    """Both classes implement the interface that services use."""
    buses: list[Bus] = [LocalBus({}), RabbitBus("amqp://127.0.0.1:1/")]
    for bus in buses:
        bus.close()


def test_migrations_create_the_tables_that_the_queries_use(consumer: Consumer) -> None:
    """The tables that a migration creates are those of the metadata, column for column and index for index."""
    metadata = sa.MetaData()
    Outbox("any", metadata)
    Inbox(metadata)
    with consumer.database.read() as connection:
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            columns = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
            assert columns == {column.name: column.nullable for column in table.columns}
            indexes = {index["name"] for index in inspector.get_indexes(table.name)}
            assert indexes == {index.name for index in table.indexes} - {"outbox_order"}


def test_a_migration_can_drop_the_tables_that_it_created(consumer: Consumer) -> None:
    """A downgrade leaves nothing of outbox and inbox behind."""

    class Op:
        def __init__(self, connection: sa.Connection) -> None:
            self.get_bind = lambda: connection

    with consumer.database.write() as connection:
        tables.drop_inbox(Op(connection))
        tables.drop_outbox(Op(connection))
        assert set(sa.inspect(connection).get_table_names()) == {"alembic_version", "effects"}


def test_an_event_that_consumers_could_not_read_is_not_inserted(producer: Producer) -> None:
    """Publishing fails with the name of the wrong member, and the other events are not inserted either."""
    bad = stored("/in/a").__class__(**{**vars(stored("/in/a")), "transfer_id": "short"})
    with pytest.raises(EventError, match="transfer_id"):
        producer.commit(stored("/in/b"), bad)
    assert issubclass(EventError, MftError)
    assert producer.unpublished() == 0


def test_rows_are_pruned_in_batches_by_age(producer: Producer, consumer: Consumer) -> None:
    """A row that no broker has confirmed, or that is young, stays."""
    producer.commit(*map(stored, ("/in/a", "/in/b", "/in/c")))
    table = producer.outbox.table
    with producer.database.write() as connection:
        connection.execute(sa.update(table).where(table.c.position < 3).values(published=True))
    later = 2**50
    assert prune_outbox(producer.database, producer.outbox, 0, published()) == 0
    assert prune_outbox(producer.database, producer.outbox, later, published(), batch=1) == 1
    assert prune_outbox(producer.database, producer.outbox, later, published()) == 1
    assert producer.unpublished() == 1
    with consumer.database.write() as connection:
        rows = [{"source": "a", "id": str(number), "handled_at": number} for number in range(5)]
        connection.execute(consumer.inbox.table.insert(), rows)
    assert prune_inbox(consumer.database, consumer.inbox, 3) == 3


def test_positions_are_never_reused(producer: Producer) -> None:
    """New rows must not have the positions of deleted ones, which are behind a cursor."""
    producer.commit(stored("/in/a"))
    prune_outbox(producer.database, producer.outbox, 2**50, sa.true())
    producer.commit(stored("/in/b"))
    with producer.database.read() as connection:
        assert connection.execute(sa.select(producer.outbox.table.c.position)).scalar_one() == 2


def test_the_topology_names_every_consumer() -> None:
    """The topology of the hub is the one in its documents."""
    assert {name: [event.TYPE for event in events] for name, events in CONSUMERS.items()} == {
        "mqmft-svc": ["transfer.started.v1", "transfer.progressed.v1", "transfer.ended.v1"],
        "diplomat-svc": ["file.stored.v1", "session.closed.v1", "account.changed.v1"],
        "sertainty-svc": ["file.stored.v1", "session.closed.v1", "account.changed.v1"],
    }
