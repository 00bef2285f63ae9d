"""Rows that belong to a process of filestore-svc, on both kinds of database: renewed, lapsed, taken over (S21)."""

import pytest
import sqlalchemy as sa

from filestore_svc.store.owned_rows import Owned, OwnedRows
from filestore_svc.store.processes import Processes
from tests.servers.databases import with_tables

METADATA = sa.MetaData()
PIECES = sa.Table(
    "pieces",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("state", sa.String(10)),
    sa.Column("process", sa.String(64)),
    sa.Column("lease_until", sa.BigInteger),
)
OPEN = OwnedRows(PIECES.c.id, PIECES.c.state == "open")


@pytest.fixture
def database(database_url):
    """A database with rows of two processes, one without an owner, and one that is closed."""
    rows = [(1, "open", "a", 100), (2, "open", "a", 50), (3, "open", "b", 60), (4, "open", "", 0), (5, "shut", "a", 0)]
    with with_tables(database_url, METADATA, lambda _: None, PIECES) as made:
        with made.write() as connection:
            names = ("id", "state", "process", "lease_until")
            connection.execute(sa.insert(PIECES), [dict(zip(names, row, strict=True)) for row in rows])
        yield made


def found(database):
    with database.read() as connection:
        return sorted(OPEN.all(connection))


def test_a_renewal_is_of_one_process_and_revives_no_lapsed_row(database):
    """Rows of another process, of none and of another state stay as they are."""
    with database.write() as connection:
        assert OPEN.renew(connection, "a", 70, 500) == 1
    assert found(database) == [Owned(1, "a", 500), Owned(2, "a", 50), Owned(3, "b", 60)]


def test_between_machines_rows_whose_lease_has_lapsed_may_be_taken(database):
    """At the very end of a lease it still counts, and a row without an owner is nobody's to take."""
    processes = Processes(None, lambda: 60)
    assert processes.abandoned(database, OPEN) == [Owned(2, "a", 50)]


def test_a_row_that_is_renewed_while_the_abandoned_ones_are_looked_for_is_not_among_them(database):
    """The owner renews in time, after the clock was read."""

    def now():
        with database.write() as connection:
            OPEN.renew(connection, "a", 50, 500)
        return 61

    assert Processes(None, now).abandoned(database, OPEN) == [Owned(3, "b", 60)]


def test_on_one_machine_only_the_rows_of_dead_processes_may_be_taken(database, tmp_path):
    """Whatever the leases say: a lock shows that a process lives."""
    living = Processes(tmp_path, lambda: 1000)
    other = Processes(tmp_path, lambda: 1000)
    with database.write() as connection:
        connection.execute(sa.update(PIECES).where(PIECES.c.process == "b").values(process=other.own))
        connection.execute(sa.update(PIECES).where(PIECES.c.process == "a").values(process=living.own))
    assert living.abandoned(database, OPEN) == []
    other.close()
    assert [row.key for row in living.abandoned(database, OPEN)] == [3]
    living.close()
