"""A call that is registered with a transaction runs once after its commit, and never where it is not committed."""

import pytest
import sqlalchemy as sa

from mft_common.database.after_commit import on_commit
from tests.servers.databases import create, opened

metadata = sa.MetaData()
crates = sa.Table("crates", metadata, sa.Column("name", sa.Text(), primary_key=True))
# Its rows are compared with the crates by the commit alone.
labels = sa.Table(
    "labels",
    metadata,
    sa.Column(
        "crate", sa.Text(), sa.ForeignKey(crates.c.name, deferrable=True, initially="DEFERRED"), primary_key=True
    ),
)


@pytest.fixture
def database(database_url):
    made = opened(database_url, metadata)
    create(made, crates, labels)
    yield made
    made.close()


@pytest.fixture(params=["write", "writer"])
def transaction(request, database):
    """Return both ways to begin a transaction; the second keeps its connection on SQLite."""
    return database.write if request.param == "write" else database.writer()


def test_a_commit_calls_once(transaction):
    """A later transaction of the same connection does not call it again."""
    called = []
    with transaction() as connection:
        connection.execute(sa.insert(crates).values(name="a"))
        on_commit(connection, lambda: called.append(1))
        assert called == []
    with transaction() as connection:
        connection.execute(sa.insert(crates).values(name="b"))
    assert called == [1]


def test_a_rollback_calls_nothing(transaction):
    """The call is dropped with its transaction, and the next commit of the connection does not make it."""
    called = []

    def fail():
        with transaction() as connection:
            on_commit(connection, lambda: called.append(1))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with transaction() as connection:
        connection.execute(sa.insert(crates).values(name="a"))
    assert called == []


def test_a_commit_that_fails_calls_nothing(transaction):
    """The same work is done again then, and would be counted twice."""
    called = []

    def write(*names):
        with transaction() as connection:
            on_commit(connection, lambda: called.append(1))
            connection.execute(sa.insert(labels).values(crate="a"))
            for name in names:
                connection.execute(sa.insert(crates).values(name=name))

    with pytest.raises(sa.exc.IntegrityError):
        write()
    assert called == []
    write("a")
    assert called == [1]
