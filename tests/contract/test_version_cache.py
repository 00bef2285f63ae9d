"""Cached results of reads are valid until the next commit of any process."""

import subprocess
import sys

import pytest
import sqlalchemy as sa

from tests.servers.databases import with_tables

THINGS = sa.Table("things", sa.MetaData(), sa.Column("name", sa.String(20), primary_key=True))
ELSEWHERE = """
import sys
import sqlalchemy as sa
from mft_common.database import Database
database = Database(sys.argv[1], schema="things-svc", metadata=sa.MetaData(), migrations="", head="")
with database.write() as connection:
    connection.execute(sa.text("DELETE FROM things"))
"""


@pytest.fixture
def database(database_url):
    """Return a database with a table of one thing."""
    with with_tables(database_url, THINGS.metadata, THINGS) as made:
        with made.write() as connection:
            connection.execute(sa.insert(THINGS).values(name="a"))
        yield made


class Asked:
    """A query; `times` counts how often it reached the database."""

    def __init__(self, database):
        self.database, self.times = database, 0

    def __call__(self, key="all"):
        def look(connection):
            self.times += 1
            return connection.driver_connection.execute("SELECT count(*) FROM things").fetchone()[0]

        return self.database.query_cached(key, look)


def test_an_unchanged_database_is_not_read_again(database):
    """SQLite answers from the cache; PostgreSQL has no version of its data to ask for, and is read each time."""
    ask = Asked(database)
    assert [ask(), ask(), ask("other"), ask()] == [1, 1, 1, 1]
    assert ask.times == (2 if database.dialect == "sqlite" else 4)


@pytest.mark.parametrize("how", ["write", "writer"])
def test_a_change_of_this_process_holds_at_once(database, how):
    """Both ways of writing invalidate the cache when they commit, and not before."""
    ask = Asked(database)
    write = database.write if how == "write" else database.writer()
    for number in range(5):
        assert ask() == number + 1
        with write() as connection:
            connection.execute(sa.insert(THINGS).values(name=f"b{number}"))
            assert ask() == number + 1
    assert ask() == 6


def test_a_change_of_another_process_holds_at_once(database):
    """A commit of another process invalidates the cache."""
    ask = Asked(database)
    assert ask() == 1
    url = database.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", ELSEWHERE, url], check=True)
    assert ask() == 0


def test_an_error_is_not_cached(database):
    """A query that raised is run again."""

    def refuse(_look):
        raise LookupError

    with pytest.raises(LookupError):
        database.query_cached("all", refuse)
    assert Asked(database)() == 1


def test_more_queries_than_the_cache_holds_are_answered(database):
    """The cache is cleared when it is full."""
    ask = Asked(database)
    assert {ask(number) for number in range(1_000)} == {1}
