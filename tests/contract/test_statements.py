"""Compiled statements behave like SQLAlchemy's own, on both databases."""

import pytest
import sqlalchemy as sa

from mft_common.database.statements import Statement

metadata = sa.MetaData()
things = sa.Table(
    "things",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("access", sa.JSON(none_as_null=True)),
)
C = things.c
INSERT = Statement(sa.insert(things), [column.name for column in things.columns])
BY_NAME = Statement(sa.select(*things.columns).where(C.name == sa.bindparam("called"), C.active))
BY_RAW = Statement(sa.select(C.id).where(C.raw == sa.bindparam("bytes")))
RENAME = Statement(sa.update(things).where(C.id == sa.bindparam("which")).values(name=sa.bindparam("called")))
REMOVE = Statement(sa.delete(things).where(C.active).returning(C.id, C.access))
ALL = Statement(sa.select(C.id, C.name).order_by(C.id))
ROWS = [
    {"id": 1, "name": "one", "active": True, "raw": b"\0\xff", "access": {"a": ["list"]}},
    {"id": 2, "name": "it's ünicode %s ? :x", "active": False, "raw": None, "access": None},
    {"id": 3, "name": "three", "active": True, "raw": b"", "access": {}},
]


@pytest.fixture
def engine(database_url):
    """Return an engine on an empty database with the table of things."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    made = sa.create_engine(url)
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def filled(engine):
    """Return a connection inside a transaction that has added three things."""
    with engine.begin() as connection:
        assert INSERT.run_many(connection, ROWS) == 3
        yield connection


def test_rows_are_those_that_sqlalchemy_returns(filled):
    """Booleans, bytes, JSON and NULL are returned as the values that were stored."""
    for row in ROWS:
        expected = filled.execute(sa.select(*things.columns).where(C.name == row["name"], C.active)).first()
        found = BY_NAME.first(filled, {"called": row["name"]})
        assert found == (None if expected is None else tuple(expected))
    assert ALL.all(filled, {}) == [(row["id"], row["name"]) for row in ROWS]
    assert [tuple(row) for row in BY_RAW.all(filled, {"bytes": b"\0\xff"})] == [(1,)]


def test_changes_are_counted_and_returned(filled):
    """The count of one and of many changed rows is returned, and so are the rows of a deletion."""
    assert RENAME.run(filled, {"which": 1, "called": "uno"}) == 1
    assert RENAME.run(filled, {"which": 9, "called": "x"}) == 0
    assert RENAME.run_many(filled, [{"which": 1, "called": "a"}, {"which": 3, "called": "b"}]) == 2
    assert RENAME.run_many(filled, [{"which": 1, "called": "c"}]) == 1
    assert sorted(REMOVE.all(filled, {})) == [(1, {"a": ["list"]}), (3, {})]


def test_they_are_part_of_the_current_transaction(engine):
    """A rollback undoes the changes of compiled statements too."""
    with engine.connect() as connection:
        INSERT.run_many(connection, ROWS)
        connection.rollback()
    with engine.connect() as connection:
        assert ALL.all(connection, {}) == []


def test_errors_are_sqlalchemys_own_and_hold_no_values(engine):
    """A duplicate name is an IntegrityError, for one row as for many, and its text holds no value."""
    for rows in ([ROWS[0]], [ROWS[0], ROWS[2]]):
        with engine.connect() as connection:
            INSERT.run_many(connection, ROWS)
            with pytest.raises(sa.exc.IntegrityError) as caught:
                INSERT.run_many(connection, rows)
            connection.rollback()
        assert "ünicode" not in str(caught.value)
