"""The conditions of a watch beside names: no file at all, more than a name, how deep, and how often."""

import dataclasses
import os
import threading

import pytest

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Transient
from mft_common.endpoints.names import Patterns
from mft_common.watching import EndpointListing
from tests.contract.test_watching import FakeEndpoint, database, hub, local
from tests.servers.processes import wait_until

__all__ = ["database", "hub"]


def test_a_watch_of_vacancy_is_called_once_no_file_matches_and_again_after_one_has_gone(hub):
    """Neither more scans nor another worker call it twice; a file that matches ends the vacancy."""
    hub.write("other.txt")
    hub.define("a", patterns=Patterns(["*.lock"]), vacancy=True, settle=0.0, looks=1)
    calls = []
    hub.watches["a"] = dataclasses.replace(hub.watches["a"], handle=lambda _, files: calls.append(list(files)))
    hub.run(5)
    assert calls == [[]]
    hub.watcher.release()
    hub.run(5)
    assert calls == [[]]
    lock = hub.write("x.lock")
    hub.run(5)
    assert calls == [[]]
    hub.watcher.release()
    lock.unlink()
    hub.run(120)
    assert calls == [[], []]
    assert hub.taken() == []


def test_a_vacancy_that_its_handler_refused_is_handed_over_later(hub):
    """A vacancy that is not stored was not remembered either."""
    hub.define("a", vacancy=True, settle=0.0, looks=1)
    calls = []

    def handle(_connection, _files):
        calls.append(hub.at)
        if len(calls) == 1:
            raise ValueError("not now")

    hub.watches["a"] = dataclasses.replace(hub.watches["a"], handle=handle)
    hub.run(30)
    assert len(calls) == 2
    assert calls[1] - calls[0] >= 5


def test_a_folder_below_that_cannot_be_read_is_no_vacancy(hub):
    """It may hold a file that matches."""
    hub.write("deep/x.lock")
    hub.define("a", vacancy=True, depth=None, settle=0.0, looks=1)
    calls = []
    hub.watches["a"] = dataclasses.replace(hub.watches["a"], handle=lambda _, files: calls.append(list(files)))

    class Partly(EndpointListing):
        def files(self, *, depth):
            yield from ()
            self.complete = False

    hub.listings["in"] = Partly(lambda: None)
    hub.listings["in"].remote = False
    hub.run(5)
    assert calls == []


def test_a_watch_refuses_files_by_more_than_their_names(hub):
    """A file that is not wanted is no file of the watch; it is one as soon as it has changed."""
    hub.define("a", settle=0.0, looks=1, wanted=lambda found: (found.size or 0) >= 3)
    hub.write("x", b"12")
    hub.run(12)
    assert hub.taken() == []
    hub.write("x", b"123")
    hub.run(12)
    assert hub.taken() == ["x"]


@pytest.mark.parametrize(("depth", "paths"), [(0, ["1"]), (1, ["1", "a/2"]), (2, ["1", "a/2", "a/b/3"])])
def test_a_folder_is_listed_as_deep_as_its_watches_reach(hub, depth, paths):
    """Folders that are deeper are not opened, and an endpoint that lists them all shows none of theirs."""
    for path in ("1", "a/2", "a/b/3", "a/b/c/4"):
        target = hub.root / "in" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"x")
    (hub.root / "in" / "a/b/c/d").mkdir()
    assert sorted(found.path for found in local(hub.root, "in").files(depth=depth)) == paths
    listing = local(hub.root, "in")
    list(listing.files(depth=depth))
    far = EndpointListing(lambda: FakeEndpoint([Entry(path, 1, 1000) for path in ("1", "a/2", "a/b/3", "a/b/c/4")]))
    assert [found.path for found in far.files(depth=depth)] == paths
    hub.define("a", depth=depth, settle=0.0, looks=1)
    hub.run(3)
    assert hub.taken() == paths


def test_folders_that_were_silent_hold_up_no_others(hub):
    """Of the threads beside the first one, folders whose last scan failed have at most half."""
    gate, silent, fine = threading.Event(), [], FakeEndpoint([Entry("x", 1, 1000, "v1")])

    def connect():
        silent.append(gate.is_set())
        if len(silent) > 12:
            gate.wait(60)
        raise Transient("silent")

    for number in range(12):
        hub.listings[f"far{number}"] = EndpointListing(connect)
        hub.define(f"far{number}", folder=f"far{number}")
    try:
        wait_until(lambda: len(silent) == 12 or hub.step(0.01))
        wait_until(lambda: not hub.watcher._running or hub.step(0.0) is None)
        hub.at += 10
        hub.listings["fine"] = EndpointListing(lambda: fine)
        hub.define("fine", folder="fine", settle=0.0, looks=1)
        wait_until(lambda: hub.taken("fine") == ["x"] or hub.step(0.01) is None)
        assert len(silent) == 16
    finally:
        gate.set()


def test_a_large_folder_that_shows_nothing_new_is_looked_at_again_after_its_interval(hub):
    """A listing that took long puts off the next look only where it found something."""
    listing = local(hub.root, "in")
    files, listings = listing.files, []

    def slow(**more):
        listings.append(hub.at)
        yield from files(**more)
        hub.at += 3.0

    listing.files = slow
    hub.listings["in"] = listing
    hub.define("a", settle=0.0, looks=1, relist=5.0)
    hub.write("x")
    os.utime(hub.root / "in", (1.0, 1.0))

    def step(seconds):
        hub.step(seconds)
        wait_until(lambda: not any(not one.done() for one in hub.watcher._running.values()))

    def pauses():
        scan = hub.watcher._scans["in"]
        return round(scan.due - hub.at, 1)

    step(1.0)
    assert hub.taken() == ["x"]
    assert pauses() == 6.0
    while len(listings) < 2:
        step(1.0)
    assert listings[1] - listings[0] >= 60
    assert pauses() == 1.0
