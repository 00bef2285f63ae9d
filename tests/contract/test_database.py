"""SQLite and PostgreSQL behave alike wherever the services rely on it."""

import threading

import pytest
import sqlalchemy as sa

from mft_common.database import Database
from mft_common.database.statements import Statement
from mft_common.errors import Unavailable

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.create_table("crates", sa.Column("name", sa.Text, primary_key=True), sa.Column("weight", sa.Integer))


def downgrade():
    op.drop_table("crates")
"""
crates = sa.table("crates", sa.column("name"), sa.column("weight"))


@pytest.fixture
def migrations(tmp_path, monkeypatch):
    package = tmp_path / "code" / "quay_migrations"
    (package / "versions").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "versions" / "0001_first.py").write_text(REVISION)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    return "quay_migrations"


@pytest.fixture
def make(database_url, migrations):
    made = []

    def new(url=database_url):
        database = Database(url, schema="quay-svc", metadata=sa.MetaData(), migrations=migrations, head="0001")
        made.append(database)
        return database

    yield new
    for database in made:
        database.close()


@pytest.fixture
def database(make):
    made = make()
    made.migrate()
    return made


def names(database):
    with database.read() as connection:
        return sorted(connection.execute(sa.select(crates.c.name)).scalars())


def test_a_block_that_ends_is_committed_and_one_that_raises_is_not(database):
    """One block is one transaction."""
    with database.write() as connection:
        connection.execute(crates.insert().values(name="kept"))
    with pytest.raises(KeyError), database.write() as connection:  # noqa: PT012
        connection.execute(crates.insert().values(name="dropped"))
        raise KeyError
    assert names(database) == ["kept"]


def test_many_that_start_at_once_migrate_once(make):
    """Of eight starts at once, one creates the tables, and the others find them."""
    errors = []

    def start():
        try:
            make().migrate()
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    database = make()
    database.ping()
    assert names(database) == []


def test_writers_wait_for_each_other(database):
    """Read-then-write transactions of many threads lose no update and fail none."""
    with database.write() as connection:
        connection.execute(crates.insert().values(name="sum", weight=0))

    def add():
        for _ in range(20):
            with database.write() as connection:
                row = sa.select(crates.c.weight).where(crates.c.name == "sum").with_for_update()
                weight = connection.execute(row).scalar_one()
                connection.execute(crates.update().values(weight=weight + 1))

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(sa.select(crates.c.weight)).scalar_one() == 120


def test_ping_says_when_tables_are_missing(make):
    """A database that was not brought up to date is not ready."""
    with pytest.raises(Unavailable, match="not those of this version"):
        make().ping()


def test_constraint_errors_stay_what_they_are(database):
    """A duplicate row is an IntegrityError, not a database that is away."""
    with database.write() as connection:
        connection.execute(crates.insert().values(name="one"))
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(crates.insert().values(name="one"))


@pytest.mark.parametrize("how", ["read", "write", "writer"])
def test_a_wrong_statement_is_a_fault_and_not_a_database_that_is_away(database, how):
    """SQLite and PostgreSQL alike raise SQLAlchemy's error for a table that is not there, and no Unavailable."""
    block = database.writer() if how == "writer" else getattr(database, how)
    with pytest.raises(sa.exc.DBAPIError), block() as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere"))


@pytest.mark.parametrize("how", ["query", "query_cached"])
def test_a_wrong_statement_of_a_query_is_a_fault_and_is_run_once(database, how):
    """A read is repeated for a broken connection alone."""
    statement, runs = Statement(sa.select(sa.column("nothing")).select_from(sa.table("nowhere"))), []

    def work(connection):
        runs.append(connection)
        return statement.all(connection, {})

    ask = database.query if how == "query" else lambda work: database.query_cached("key", work)
    for _ in range(2):
        with pytest.raises(sa.exc.DBAPIError):
            ask(work)
    assert len(runs) == 2
    assert runs[0] is runs[1]


def test_a_database_that_is_away_is_unavailable(make, tmp_path):
    """A refused connection is Unavailable, which services answer with 503."""
    away = make("postgresql://nobody:x@127.0.0.1:1/none")
    with pytest.raises(Unavailable), away.read() as connection:
        connection.execute(sa.text("SELECT 1"))


def test_sqlite_is_durable(database):
    """Every commit is fsynced, readers do not wait for writers."""
    if database.dialect == "sqlite":
        with database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_an_error_of_a_statement_shows_no_values(database):
    """It reaches the log, and values can be password hashes or the hashes of tokens."""
    with database.write() as connection:
        connection.execute(sa.insert(crates).values(name="hunter2", weight=1))
    again = sa.insert(crates).values(name="hunter2", weight=987654)
    with database.write() as connection, pytest.raises(sa.exc.IntegrityError) as failed:
        connection.execute(again)
    assert "987654" not in str(failed.value)
