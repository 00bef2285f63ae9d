"""Which workers are alive, on both kinds of database (E12, E13, E15)."""

import pytest
import sqlalchemy as sa

from mft_common.database import leases
from mft_common.database.leases import Leases
from mft_common.database.workers import Lost, Workers
from mft_common.errors import Unavailable
from tests.servers.databases import with_tables

METADATA = sa.MetaData()
LEASES = Leases(METADATA)
WORKERS = Workers(LEASES)


@pytest.fixture
def database(database_url):
    """A database with the table as a migration makes it."""
    with with_tables(database_url, METADATA, leases.create_table) as made:
        yield made


def do(database, method, *arguments, **options):
    """Call a method of the workers in a transaction of its own."""
    with database.write() as connection:
        return getattr(WORKERS, method)(connection, *arguments, **options)


def lapse(database, lease):
    """Put the end of a lease into the past."""
    with database.write() as connection:
        connection.execute(sa.text("UPDATE leases SET until = 0 WHERE key = :key"), {"key": lease.key})


def test_a_worker_lives_from_its_sign_in_to_its_sign_out(database):
    """Others see it by its name in between, and after a clean stop nothing of it is left."""
    assert not do(database, "is_signed_in", "one")
    lease = do(database, "sign_in", "one", 60.0)
    assert do(database, "is_signed_in", "one")
    assert do(database, "is_alive", lease)
    assert do(database, "renew", lease)
    assert do(database, "find_alive") == {"one"}
    assert do(database, "find_dead") == []
    do(database, "sign_out", lease)
    assert not do(database, "is_signed_in", "one")
    assert not do(database, "is_alive", lease)
    assert do(database, "find_alive") == set()
    assert do(database, "find_dead", everyone=True) == []


def test_a_worker_whose_lease_lapsed_is_dead_and_never_revived(database):
    """It cannot renew, its work is another's, and the others stay as they are (E13)."""
    dead, alive = (do(database, "sign_in", name, 60.0) for name in ("dead", "alive"))
    lapse(database, dead)
    assert not do(database, "renew", dead)
    assert not do(database, "is_alive", dead)
    assert do(database, "find_dead") == ["dead"]
    assert do(database, "find_alive") == {"alive"}
    # Readiness asks for the row, which the recovery deletes.
    assert do(database, "is_signed_in", "dead")
    assert not do(database, "remove_dead", ["dead"])
    assert not do(database, "is_signed_in", "dead")
    do(database, "sign_out", alive)
    assert do(database, "remove_dead", [])


def test_an_exclusive_worker_counts_every_other_as_dead(database):
    """Its lock shows that nobody else runs, however long the leases would last (E12)."""
    do(database, "sign_in", "former", 3600.0)
    assert do(database, "find_dead", everyone=True) == ["former"]
    assert do(database, "remove_dead", ["former"])


def test_a_piece_is_lost_whose_owner_is_dead_or_runs_it_no_more(database):
    """An exclusive worker has lost all others' pieces; dead workers are named until they are removed."""
    dead, _ = (do(database, "sign_in", name, 60.0) for name in ("dead", "alive"))
    lapse(database, dead)
    pieces = {1: "dead", 2: "alive", 3: "alive", 4: "forgotten", 5: None}
    find = lambda **options: do(database, "find_lost", lambda _connection: pieces, **options)  # noqa: E731
    assert find() == Lost({1: "dead", 4: "forgotten", 5: None}, ["dead"])
    assert find(owner="alive", running=[2]) == Lost({1: "dead", 3: "alive", 4: "forgotten", 5: None}, ["dead"])
    assert find(exclusive=True) == Lost(pieces, ["alive", "dead"])
    do(database, "remove_dead", ["dead"])
    assert find() == Lost({1: "dead", 4: "forgotten", 5: None}, [])


def test_a_worker_that_signs_in_and_takes_a_piece_during_a_search_has_not_lost_it(database):
    """Its piece is read before the workers are."""

    def owners(_connection):
        if database.dialect == "postgresql":
            do(database, "sign_in", "new", 60.0)
        return {1: "new"} if database.dialect == "postgresql" else {}

    with database.read() as connection:
        assert WORKERS.find_lost(connection, owners) == Lost({}, [])


def test_lost_pieces_are_run_again_and_the_dead_workers_are_forgotten(database):
    """Those that another worker was faster with are not counted; a worker whose pieces fail again is not forgotten."""
    dead = do(database, "sign_in", "dead", 60.0)
    do(database, "sign_in", "alive", 60.0)
    lapse(database, dead)
    seen = []

    def again(key, by):
        seen.append((key, by))
        return key != 2

    def owners(_connection):
        return {1: "dead", 2: "dead", 3: "alive"}

    def away(_key, _by):
        raise Unavailable("the database is away")

    with pytest.raises(Unavailable):
        WORKERS.take_over(database, owners, away)
    assert do(database, "is_signed_in", "dead")
    assert WORKERS.take_over(database, owners, again) == 1
    assert seen == [(1, "dead"), (2, "dead")]
    assert not do(database, "is_signed_in", "dead")
    assert do(database, "is_signed_in", "alive")


def test_the_lease_of_other_work_is_no_worker(database):
    """One table holds the leases of workers and of other things; each is looked for by its kind."""
    with database.write() as connection:
        LEASES.claim(connection, "agents", "one", 60.0)
    assert do(database, "find_alive") == set()
    assert do(database, "find_dead", everyone=True) == []
    assert do(database, "remove_dead", [])
