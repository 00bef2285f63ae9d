"""A call that is registered with a transaction runs once when that commits, and never when it is rolled back."""

import pytest
import sqlalchemy as sa

from mft_common.database.after_commit import on_commit
from tests.servers.databases import create, opened

metadata = sa.MetaData()
crates = sa.Table("crates", metadata, sa.Column("name", sa.Text(), primary_key=True))


@pytest.fixture
def database(database_url):
    made = opened(database_url, metadata)
    create(made, crates)
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
