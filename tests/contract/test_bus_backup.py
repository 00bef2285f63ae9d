"""Databases that are copied under a running hub, consumers first, hold every event once when they are restored."""

import sqlite3
import threading

import sqlalchemy as sa

from tests.servers.event_world import World, running, stored
from tests.servers.processes import wait_until


def copied(url, target):
    """Copy a SQLite database as `.backup` of its command line does, and return the copy's URL."""
    with sqlite3.connect(sa.make_url(url).database) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    return f"sqlite:///{target}"


def test_a_backup_in_the_documented_order_misses_no_event(world, tmp_path):
    """The consumer's cursor in the copy is never ahead of the producer's outbox, and its inbox matches."""
    done = threading.Event()

    def commit():
        for number in range(300):
            world.producer.commit(stored(f"/in/{number}"))
        done.set()

    committing = threading.Thread(target=commit)
    with running(world.consume(world.bus())):
        committing.start()
        wait_until(lambda: world.consumer.count() >= 20, what="the first effects")
        consumer = copied(world.urls[1], tmp_path / "consumer-copy.db")
        producer = copied(world.urls[0], tmp_path / "producer-copy.db")
        committing.join(20)
    assert done.is_set()
    restored = World(producer, consumer, None)
    restored.start()
    restored.producer.commit(stored("/in/after"))
    with restored.producer.database.read() as connection:
        expected = set(connection.execute(sa.select(restored.producer.outbox.table.c.subject)).scalars())
    assert len(expected) > restored.consumer.count()
    with running(restored.consume(restored.bus())):
        wait_until(lambda: restored.consumer.count() >= len(expected), what="the effects in the copy")
    assert restored.consumer.seen() == dict.fromkeys(expected, 1)
    restored.close()
