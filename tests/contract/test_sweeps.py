"""The removals of what work has left, on both kinds of database: claimed by one worker, tried later each time (E14)."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from mft_common.database.sweeps import Claimed, Sweeps
from tests.servers.databases import with_tables

METADATA = sa.MetaData()
# Keys of text: those of diplomat-svc, whose suite uses the same code, are numbers.
LEFT = sa.Table(
    "left_behind",
    METADATA,
    sa.Column("transfer", sa.String(48), primary_key=True),
    sa.Column("tries", sa.BigInteger, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
)
SWEEPS = Sweeps(LEFT.c.transfer)
PLACES = {"a": "one", "b": "two", "c": "one", "d": "two", "e": "one", "f": "two"}


@pytest.fixture
def database(database_url):
    """A database with six removals at two places; none is recorded twice."""
    with with_tables(database_url, METADATA, LEFT) as made:
        with made.write() as connection:
            for key in PLACES:
                SWEEPS.add(connection, key, 100)
                SWEEPS.add(connection, key, 900)
        yield made


def claim(database, now, most=8, busy=(), known=PLACES):
    """Return what a worker claims."""
    with database.write() as connection:
        return SWEEPS.claim(connection, now, most, lambda keys: {key: known[key] for key in keys if key in known}, busy)


def keys(claimed):
    """Return the keys of what was claimed."""
    return [one.key for one in claimed]


def is_due(database, now):
    """Return whether any removal is due."""
    return database.query(lambda each: SWEEPS.any_due(each, now))


def test_a_removal_is_due_from_its_time_on_and_later_each_time(database):
    """The first pause is a minute, each later one is twice the last, and none is more than an hour."""
    with database.write() as connection:
        for key in "bcdef":
            SWEEPS.remove(connection, key)
    assert database.query(SWEEPS.count) == 1
    assert not is_due(database, 99)
    assert claim(database, 99) == []
    now, pauses = 100, []
    for tries in range(1, 10):
        assert claim(database, now) == [Claimed("a", tries, "one")]
        before = now
        while not is_due(database, now):
            now += 60_000
        pauses.append((now - before) // 60_000)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_clock_that_was_set_back_leaves_no_removal_waiting_for_years(database):
    """A time that lies later than any pause was written by the clock before."""
    now, later = 200, 40 * 365 * 86_400_000
    assert keys(claim(database, later, most=1)) == ["a"]
    assert keys(claim(database, now, known={"a": "one"})) == ["a"]
    assert not claim(database, now, known={"a": "one"})
    with database.write() as connection:
        for key in PLACES:
            SWEEPS.remove(connection, key)
        SWEEPS.add(connection, "a", later)
    assert is_due(database, now)


def test_one_place_is_claimed_once_at_a_time(database):
    """The work at a far side that hangs waits for each other, and no other far side waits for it."""
    assert keys(claim(database, 100)) == ["a", "b"]
    assert keys(claim(database, 100, busy=["two"])) == ["c"]
    assert keys(claim(database, 100, most=1)) == ["d"]
    with database.write() as connection:
        SWEEPS.put_back(connection, Claimed("a", 1, "one"), 100)
        SWEEPS.remove(connection, "b")
    assert claim(database, 100) == [Claimed("a", 1, "one"), Claimed("f", 1, "two")]


def test_a_try_that_is_put_back_late_takes_nothing_from_the_next_one(database):
    """Another worker has claimed the removal by then."""
    (before,) = claim(database, 100, most=1)
    (after,) = claim(database, 60_100, most=1, busy=["two"], known={"a": "one"})
    with database.write() as connection:
        SWEEPS.put_back(connection, before, 100)
    assert claim(database, 60_100, known={"a": "one"}) == []
    assert after == Claimed("a", 2, "one")


def test_any_number_of_removals_of_a_place_that_is_busy_holds_up_no_other_place(database):
    """A far side that hangs for days has thousands of them, and they are due for longest."""
    with database.write() as connection:
        rows = [{"transfer": f"hangs {number}", "tries": 0, "due_at": 1} for number in range(2500)]
        connection.execute(sa.insert(LEFT), rows)
    known = {**PLACES, **{row["transfer"]: "hangs" for row in rows}}
    assert keys(claim(database, 100, busy=["hangs"], known=known)) == ["a", "b"]


def test_what_has_no_place_any_more_is_passed_over(database):
    """Its row stays, and holds up nothing."""
    assert keys(claim(database, 100, known={"c": "one"})) == ["c"]
    assert database.query(SWEEPS.count) == 6


def test_workers_that_claim_at_the_same_time_share_the_removals(database):
    """No removal is claimed by two."""
    with ThreadPoolExecutor(4) as pool:
        claimed = [one for some in pool.map(lambda _: keys(claim(database, 100)), range(12)) for one in some]
    assert sorted(claimed) == sorted(PLACES)
