"""Which transfer wrote a place last, on both kinds of database."""

import pytest
import sqlalchemy as sa

from mft_common.watching import Deliveries, place_digest
from tests.servers.databases import with_tables

METADATA = sa.MetaData()
TABLE = sa.Table(
    "delivery",
    METADATA,
    sa.Column("place", sa.LargeBinary(16), primary_key=True),
    sa.Column("transfer", sa.String(48), nullable=False),
    sa.Column("size", sa.BigInteger(), nullable=False),
    sa.Column("at", sa.BigInteger(), nullable=False),
)
DELIVERIES = Deliveries(TABLE)


@pytest.fixture
def database(database_url):
    """A database with the table."""
    with with_tables(database_url, METADATA, TABLE) as made:
        yield made


def row(path, transfer, at, size=1):
    """Return a delivery of a path."""
    return {"place": place_digest("", path), "transfer": transfer, "size": size, "at": at}


def test_the_latest_delivery_of_a_place_counts_in_whatever_order_events_come(database):
    """An earlier one that comes late, or again, changes nothing; of two of one moment the greater id counts."""
    with database.write() as connection:
        DELIVERIES.note(connection, [row("in/x", "B", 5, 2), row("in/y", "A", 1)])
        DELIVERIES.note(connection, [row("in/x", "A", 4), row("/in//./y", "C", 1), row("in/y", "B", 1)])
        assert DELIVERIES.find(connection, [place_digest("", "in/x")], 2) == "B"
        assert DELIVERIES.find(connection, [place_digest("", "in/x")], 1) is None
        assert DELIVERIES.find(connection, [place_digest("", "in/y")], None) == "C"
        assert DELIVERIES.find(connection, [place_digest("AGENT", "in/y")], None) is None


def test_the_first_file_of_a_batch_that_a_transfer_wrote_names_the_transfer(database):
    """Files that no transfer wrote, or that have another size by now, are passed over, in batches of any length."""
    with database.write() as connection:
        DELIVERIES.note(connection, [row("x", "X", 1, 7), row("y", "Y", 9, 8), row("z", "Z", 2)])
        others = [(place_digest("", f"other{number}"), 1) for number in range(2500)]
        changed, known = (place_digest("", "x"), 3), (place_digest("", "y"), 8)
        assert DELIVERIES.find_first(connection, [*others, changed, known, (place_digest("", "z"), None)]) == "Y"
        assert DELIVERIES.find_first(connection, [(place_digest("", "z"), None), known]) == "Z"
        assert DELIVERIES.find_first(connection, [*others, changed]) is None
        assert DELIVERIES.find_first(connection, []) is None


def test_old_deliveries_are_deleted_some_at_a_time(database):
    """Those at or after the time stay."""
    with database.write() as connection:
        DELIVERIES.note(connection, [row(f"f{number}", "T", number) for number in range(10)])
        assert [DELIVERIES.purge(connection, 5, 3) for _ in range(3)] == [3, 2, 0]
        assert connection.execute(sa.select(sa.func.min(TABLE.c.at))).scalar_one() == 5
