"""IDs and scripts in both kinds of database: by configuration and shared, byte for byte, within their limit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from mft_common.database import Database
from sertainty_svc import SERVICE
from sertainty_svc.migrations import HEAD
from sertainty_svc.store import objects
from sertainty_svc.store.objects import SHARED, Key
from sertainty_svc.store.tables import configuration, metadata

NASTY = bytes(range(256)) + b"\r\n\x00"


@pytest.fixture
def database(database_url):
    """A database with the tables of the service, and two configurations with the numbers 1 and 2."""
    made = Database(database_url, schema=SERVICE, metadata=metadata, migrations="sertainty_svc.migrations", head=HEAD)
    made.migrate()
    with made.write() as connection:
        rows = [{"name": name, "tasks": b"", "saved_at": 0} for name in ("day", "night")]
        connection.execute(sa.insert(configuration), rows)
    yield made
    made.close()


def save(database, key, contents, uid=""):
    with database.write() as connection:
        objects.save(connection, key, contents, uid)


def ask(database, question, *arguments):
    with database.read() as connection:
        return question(connection, *arguments)


def test_77_contents_come_back_byte_for_byte_and_kinds_and_owners_are_apart(database):
    """Item 77: one name means four things, and a saved one replaces the former."""
    keys = [Key(kind, owner, "Same.py") for kind in ("id", "script") for owner in (SHARED, 1)]
    for place, key in enumerate(keys):
        save(database, key, NASTY + bytes([place]))
    save(database, keys[0], b"")
    assert [ask(database, objects.find, key) for key in keys] == [b"", *(NASTY + bytes([n]) for n in (1, 2, 3))]
    assert ask(database, objects.find, Key("id", SHARED, "same.py")) is None
    assert ask(database, objects.find, Key("id", 2, "Same.py")) is None


def test_78_a_task_means_the_object_of_its_configuration_first(database):
    """Item 78: the shared one stands in where the configuration has none."""
    save(database, Key("script", SHARED, "a"), b"shared")
    assert ask(database, objects.resolve, Key("script", 1, "a")) == b"shared"
    save(database, Key("script", 1, "a"), b"own")
    assert ask(database, objects.resolve, Key("script", 1, "a")) == b"own"
    assert ask(database, objects.resolve, Key("script", 2, "a")) == b"shared"
    assert ask(database, objects.resolve, Key("id", 1, "a")) is None


def test_90_ids_are_found_by_the_uuid_in_them_those_of_the_configuration_first(database):
    """Item 90: a save without a UUID, or with another one, is found no longer."""
    save(database, Key("id", SHARED, "a"), b"shared", "u1")
    save(database, Key("id", 1, "z"), b"own", "u1")
    save(database, Key("id", 2, "b"), b"of another", "u1")
    assert ask(database, objects.find_ids, 1, "u1") == [b"own", b"shared"]
    save(database, Key("id", 1, "z"), b"own", "")
    assert ask(database, objects.find_ids, 1, "u1") == [b"shared"]
    assert ask(database, objects.find_ids, 1, "u2") == []


def test_40_deleting_those_of_a_configuration_leaves_the_others(database):
    """Item 40: with its IDs and scripts, and no other ones."""
    for owner in (SHARED, 1, 2):
        save(database, Key("id", owner, "a"), b"x")
        save(database, Key("script", owner, "a"), b"x")
    with database.write() as connection:
        objects.delete_all(connection, 1)
    left = [
        (kind, n) for kind in ("id", "script") for n in range(3) if ask(database, objects.exists, Key(kind, n, "a"))
    ]
    assert left == [("id", 0), ("id", 2), ("script", 0), ("script", 2)]


def test_30_of_eight_simultaneous_inserts_one_succeeds(database):
    """Item 30: seven find the name taken."""

    def insert(number):
        with database.write() as connection:
            owner = objects.configuration_id(connection, "night", keep=True)
            return objects.insert(connection, Key("id", owner, "a"), b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(insert, range(8))) == [False] * 7 + [True]


def test_109_ids_and_scripts_of_a_configuration_are_limited_together(database, monkeypatch):
    """Item 109: a new one has no room, an old one can still be replaced, and other configurations have their own."""
    monkeypatch.setattr(objects, "MAX_OBJECTS", 3)
    for number in range(3):
        save(database, Key("id" if number else "script", 1, f"n{number}"), b"x")
    save(database, Key("id", 1, "n1"), b"y")
    with pytest.raises(objects.TooMany):
        save(database, Key("script", 1, "n3"), b"x")
    with pytest.raises(objects.TooMany), database.write() as connection:
        objects.insert(connection, Key("id", 1, "n4"), b"x")
    save(database, Key("id", SHARED, "n3"), b"x")
    assert ask(database, objects.find, Key("id", 1, "n1")) == b"y"


def test_17_configurations_are_found_by_their_exact_names(database):
    """Item 17: case counts."""
    assert ask(database, objects.configuration_id, "night") == 2
    assert ask(database, objects.configuration_id, "Night") is None
