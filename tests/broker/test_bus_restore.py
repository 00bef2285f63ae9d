"""A PostgreSQL dump that is restored into a new cluster goes on with its events, without a broker."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from crossdock import environment, hub
from mft_common.config import Reader
from mft_common.errors import ConfigError
from mft_common.events import tables
from tests.servers.event_world import Producer, World, running, stored
from tests.servers.postgresql import OwnPostgreSQL
from tests.servers.processes import wait_until

COUNT_AHEAD = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


@pytest.fixture
def new_cluster():
    with OwnPostgreSQL() as server:
        yield server


def dsn(url):
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def restored(url, cluster, folder: Path) -> str:
    """Dump the database at `url`, restore it into a new database of `cluster`, and return that one's URL."""
    target, dump = cluster.new_database(), str(folder / "dump")
    subprocess.run(["pg_dump", "--format=custom", f"--file={dump}", dsn(url)], check=True)
    subprocess.run(["pg_restore", "--no-owner", f"--dbname={dsn(target)}", dump], check=True)
    return target


def count_ahead(url):
    """Let a cluster count 20,000 transactions, as one does that has served for a while."""
    with psycopg.connect(dsn(url), autocommit=True) as connection:
        connection.execute(COUNT_AHEAD)


@pytest.fixture
def start_in():
    """Return a function that starts the producer and the consumer of a database."""
    with ExitStack() as closing:

        def start(url):
            world = World(url, url, None)
            closing.callback(world.close)
            world.start()
            return world

        yield start


def consume_until(world, paths):
    """Run the consumer until each path had its effect, and see that none had a second one."""
    with running(world.consume(world.bus())):
        wait_until(lambda: set(paths) <= set(world.consumer.seen()), what=f"the effects of {paths}")
    assert world.consumer.seen() == dict.fromkeys(paths, 1)


def test_a_dump_restored_into_a_new_cluster_loses_and_repeats_no_event(
    make_world, start_in, new_cluster, tmp_path
) -> None:
    """Events from before the dump that were not read, and those committed after it, have their effect once each."""
    old = make_world("local-postgresql")
    count_ahead(old.urls[0])
    old.producer.commit(stored("/in/handled"))
    consume_until(old, ["/in/handled"])
    old.producer.commit(stored("/in/unread"))
    world = start_in(restored(old.urls[0], new_cluster, tmp_path))
    world.producer.commit(stored("/in/after"))
    consume_until(world, ["/in/handled", "/in/unread", "/in/after"])
    assert world.bus().backlog(world.producer.outbox.source, world.producer.database).events == 0


def test_a_dump_restored_twice_goes_on_each_time(
    make_world, start_in, postgresql_server, new_cluster, tmp_path
) -> None:
    """A database may move to a new cluster and back again, whichever of them has counted more transactions."""
    old = make_world("local-postgresql")
    count_ahead(old.urls[0])
    old.producer.commit(stored("/in/1"))
    consume_until(old, ["/in/1"])
    there = start_in(restored(old.urls[0], new_cluster, tmp_path))
    there.producer.commit(stored("/in/2"))
    back = start_in(restored(there.urls[0], postgresql_server, tmp_path))
    back.producer.commit(stored("/in/3"))
    consume_until(back, ["/in/1", "/in/2", "/in/3"])
    postgresql_server.drop_database(back.urls[0])


def test_cursors_of_an_earlier_program_stay_below_what_is_committed_next(make_world) -> None:
    """An outbox without a generation, written by an earlier program, goes on when a newer one starts."""
    world = make_world("local-postgresql")
    with world.producer.database.write() as connection:
        tables.generations.drop(connection)
        connection.exec_driver_sql("CREATE TABLE outbox_generation (cluster VARCHAR(32) PRIMARY KEY, number BIGINT)")
        connection.exec_driver_sql("INSERT INTO outbox_generation VALUES ('none', 0)")
        connection.exec_driver_sql("ALTER TABLE outbox ALTER COLUMN tx SET DEFAULT pg_current_xact_id()::text::bigint")
    world.producer.commit(stored("/in/1"))
    consume_until(world, ["/in/1"])
    world.producer.commit(stored("/in/2"))
    with world.producer.database.write() as connection:
        tables.generations.drop(connection)
    world.start()
    world.producer.commit(stored("/in/3"))
    consume_until(world, ["/in/1", "/in/2", "/in/3"])


def test_every_service_looks_into_which_cluster_it_starts(postgresql_url, tmp_path) -> None:
    """Gateway and services all begin a generation of transaction numbers before they serve."""
    urls = {f"{prefix}_DATABASE_URL": postgresql_url for prefix in environment.DATABASES}
    settings = environment.of_one_machine(tmp_path, urls, host="127.0.0.1", demo=False)
    made = hub.build(settings, {}, Reader(folder=tmp_path, environ={}, demo=False))
    try:
        for database in (made.gateway.database, *(service.database for service in made.services.values())):
            with database.read() as connection:
                assert connection.execute(sa.select(tables.generations.c.number)).scalars().all() == [1]
    finally:
        made.close()


def test_a_role_that_may_not_ask_for_the_cluster_is_refused_with_the_remedy(postgresql_url) -> None:
    """PostgreSQL lets every role ask; where that was revoked, the start says what to grant."""
    role = f"r{make_url(postgresql_url).database}"
    with psycopg.connect(dsn(postgresql_url), autocommit=True) as admin:
        admin.execute(f'CREATE ROLE "{role}" LOGIN')
        admin.execute(f'GRANT CREATE ON DATABASE "{make_url(postgresql_url).database}" TO "{role}"')
        admin.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        producer = Producer(make_url(postgresql_url).set(username=role).render_as_string(hide_password=False))
        try:
            with pytest.raises(ConfigError, match="GRANT EXECUTE"):
                producer.create()
            admin.execute(f'GRANT EXECUTE ON FUNCTION pg_control_system() TO "{role}"')
            producer.start()
            producer.commit(stored("/in/a"))
        finally:
            producer.database.close()
            admin.execute(f'DROP OWNED BY "{role}" CASCADE')
            admin.execute(f'DROP ROLE "{role}"')


def test_a_second_start_in_the_same_cluster_changes_nothing(make_world) -> None:
    """Only another cluster begins a new generation."""
    world = make_world("local-postgresql")
    world.start()
    with world.producer.database.read() as connection:
        assert [number for _cluster, number in connection.execute(tables.generations.select())] == [1]
