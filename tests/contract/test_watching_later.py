"""Files that a watch cannot take now, names that are taken again, and the transaction of a scan that failed."""

import dataclasses

import pytest
import sqlalchemy as sa

from mft_common.database.leases import LeaseLost
from mft_common.endpoints.errors import NotFound
from mft_common.watching import Later
from mft_common.watching.memory import digest
from tests.contract.test_watching import LEASES, MEMORY, TAKEN, database, hub

__all__ = ["database", "hub"]


def locked(hub, lock):
    """Give the watch of the hub a lock."""
    hub.watches["a"] = dataclasses.replace(hub.watches["a"], lock=lock)


def test_names_that_are_forgotten_are_taken_again_and_the_others_are_not(hub):
    """Also by the scan that has them in its own memory."""
    hub.define("a")
    for name in ("x", "y", "z"):
        hub.write(name)
    hub.run(5)
    with hub.database.write() as connection:
        MEMORY.forget_names(connection, "a", [digest("y"), digest("unknown")])
    assert hub.remembered() == 2
    hub.run(5)
    assert hub.taken() == ["x", "y", "y", "z"]


def test_forgetting_no_name_or_one_of_a_watch_that_is_gone_changes_nothing(hub):
    """No scan has to read its definitions anew for it."""
    hub.define("a")
    with hub.database.write() as connection:
        before = MEMORY.revision(connection)
        MEMORY.forget_names(connection, "a", [])
        MEMORY.forget_names(connection, "gone", [digest("x")])
        assert MEMORY.revision(connection) == before
        assert MEMORY.generations(connection).keys() == {"a"}


def test_a_scan_under_way_cannot_remember_a_name_again_that_was_forgotten_meanwhile(hub):
    """The batch that it was about to hand over is refused; the next scan hands it over."""
    hub.define("a")
    hub.write("x")
    calls = []

    def lock(_connection):
        calls.append(hub.at)

    locked(hub, lock)
    hub.run(2)
    (state,) = hub.watcher._scans["in"].states
    with hub.database.write() as connection:
        MEMORY.forget_names(connection, "a", [digest("x")])
    hub.write("y")
    hub.watcher._scans["in"].scan()
    hub.at += 2
    hub.watcher._scans["in"].scan()
    assert "y" not in hub.taken()
    with hub.database.read() as connection:
        assert state.generation < MEMORY.generations(connection)["a"]
    hub.run(5)
    assert hub.taken() == ["x", "x", "y"]


def test_the_definitions_of_watches_are_read_by_their_prefix(hub):
    """The row that counts all changes is none of them."""
    hub.define("task/1", "one")
    hub.define("other", "two")
    with hub.database.read() as connection:
        assert MEMORY.definitions(connection) == {"task/1": "one", "other": "two"}
        assert MEMORY.definitions(connection, "task/") == {"task/1": "one"}


def test_a_lock_that_raises_later_takes_no_file_and_remembers_none(hub):
    """The files come with a scan after it, all of them in one batch."""
    hub.define("a")
    busy = [True]

    def lock(_connection):
        if busy[0]:
            raise Later("one is under way")

    locked(hub, lock)
    for name in ("x", "y"):
        hub.write(name)
    hub.run(5)
    assert (hub.taken(), hub.remembered()) == ([], 0)
    busy[0] = False
    hub.run(2)
    assert hub.taken() == ["x", "y"]


def test_a_pause_of_later_lists_the_folder_no_more_until_it_is_over_or_the_folder_is_woken(hub):
    """A folder with many files that wait costs no listing a second."""
    hub.define("a")
    asked, busy = [], [True]

    def lock(_connection):
        asked.append(hub.at)
        if busy[0]:
            raise Later("one is under way", pause=30.0)

    locked(hub, lock)
    hub.write("x")
    hub.run(20)
    assert len(asked) == 1
    hub.run(20)
    assert len(asked) == 2
    busy[0] = False
    hub.step()
    assert hub.taken() == []
    hub.watcher.wake("in")
    hub.step()
    assert hub.taken() == ["x"]


def test_a_watch_of_the_same_folder_does_not_wait_for_one_that_can_take_nothing(hub):
    """Its files are taken as soon as they have settled."""
    hub.define("a")
    hub.define("b")

    def lock(_connection):
        raise Later("one is under way", pause=300.0)

    locked(hub, lock)
    hub.write("x")
    hub.run(5)
    hub.write("y")
    hub.run(5)
    assert (hub.taken("a"), hub.taken("b")) == ([], ["x", "y"])


def test_a_scan_that_failed_is_reported_in_a_transaction_of_the_watch(hub):
    """After its lock; a report of a former definition, or under a lease that was lost, is stored nowhere."""
    hub.define("a")
    order = []

    def failed(connection, error):
        order.append(type(error))
        connection.execute(sa.insert(TAKEN).values(watch="a", path="failed", size=0, definition="1"))

    def lock(_connection):
        order.append("lock")

    hub.watches["a"] = dataclasses.replace(hub.watches["a"], failed=failed, lock=lock)
    (hub.root / "in").rmdir()
    hub.step()
    assert (order, hub.taken()) == (["lock", NotFound], ["failed"])
    with hub.database.write() as connection:
        MEMORY.define(connection, "a", "2")
    hub.at += 1000
    hub.watcher._scans["in"].scan()
    assert hub.taken() == ["failed"]
    hub.run(20)
    scan, count = hub.watcher._scans["in"], len(hub.taken())
    with hub.database.write() as connection:
        LEASES.release(connection, hub.watcher._lease)
    with pytest.raises(LeaseLost):
        scan.scan()
    assert len(hub.taken()) == count


def test_many_definitions_are_stored_at_once_and_only_those_that_differ_are_new(database):
    """A scan of a watch that stays the same goes on."""
    many = {f"k{number}": "1" for number in range(2500)}
    with database.write() as connection:
        assert len(MEMORY.define_all(connection, many)) == 2500
        before, revision = MEMORY.generations(connection), MEMORY.revision(connection)
        assert MEMORY.define_all(connection, many) == []
        assert MEMORY.revision(connection) == revision
        assert MEMORY.define_all(connection, {**many, "k7": "2", "more": "1"}) == ["k7", "more"]
        after = MEMORY.generations(connection)
        assert {key for key in after if after[key] != before.get(key)} == {"k7", "more"}
