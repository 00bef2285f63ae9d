"""Watched folders on both kinds of database: every appearance of a file once, whole, whatever happens to the scans."""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from mft_common import logs
from mft_common.database import leases
from mft_common.database.leases import Leases
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import NotFound, Transient
from mft_common.endpoints.folders import LocalFolder
from mft_common.endpoints.names import Patterns
from mft_common.watching import (
    EndpointListing,
    LocalListing,
    Memory,
    Watch,
    Watcher,
    create_tables,
    drop_tables,
    watcher_task,
)
from tests.servers.databases import Op, stop_between_writes, with_tables
from tests.servers.processes import wait_until

METADATA = sa.MetaData()
MEMORY = Memory(METADATA)
LEASES = Leases(METADATA)
TAKEN = sa.Table(
    "taken",
    METADATA,
    sa.Column("watch", sa.String(64)),
    sa.Column("path", sa.String(255)),
    sa.Column("size", sa.BigInteger),
    sa.Column("definition", sa.String(64)),
)
MIB = 1 << 20


@pytest.fixture
def database(database_url):
    """A database with the tables as a migration makes them, and a table of what was taken."""
    with with_tables(database_url, METADATA, create_tables, leases.create_table, TAKEN) as made:
        yield made


def local(root, folder):
    """Return the listing of a folder below `root`."""
    return LocalListing(LocalFolder(root, folder, root / "state", f"file:{folder}"))


class Hub:
    """A watcher with a clock that a test sets; `watches` are the definitions in force."""

    def __init__(self, database, root, *, owner="w", ttl=15.0):
        self.database, self.root, self.at = database, root, 1000.0
        self.errors, self.listings, self.watches = [], {}, {}
        (root / "in").mkdir(exist_ok=True)
        self.watcher = Watcher(
            "tests", database, MEMORY, LEASES, definitions=lambda _: list(self.watches.values()), listing=self._listing,
            owner=owner, ttl=ttl, now=lambda: self.at,
        )  # fmt: skip

    def _listing(self, folder):
        return self.listings.get(folder) or local(self.root, folder)

    def define(self, key, definition="1", **more):
        """Put a definition in force, as `apply` does."""

        def handle(connection, files):
            if self.errors:
                raise self.errors.pop(0)
            rows = [{"watch": key, "path": one.path, "size": one.size, "definition": definition} for one in files]
            connection.execute(sa.insert(TAKEN), rows)

        with self.database.write() as connection:
            MEMORY.define(connection, key, definition)
        self.watches[key] = Watch(**{"key": key, "folder": "in", "handle": handle, **more})

    def step(self, seconds=1.0):
        self.at += seconds
        return self.watcher.step()

    def run(self, seconds, every=1.0):
        for _ in range(int(seconds / every)):
            self.step(every)

    def taken(self, key=None):
        with self.database.read() as connection:
            rows = connection.execute(sa.select(TAKEN).order_by(TAKEN.c.path)).all()
        return [row.path for row in rows if key in (None, row.watch)]

    def taken_count(self):
        with self.database.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(TAKEN)).scalar_one()

    def owner(self):
        with self.database.read() as connection:
            return LEASES.owner(connection, "watching/tests")

    def remembered(self, key="a"):
        with self.database.read() as connection:
            return MEMORY.count(connection, key)

    def write(self, name, content=b"x", *, modified=None):
        path = self.root / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        if modified is not None:
            os.utime(path, (modified, modified))
        return path


@pytest.fixture
def hub(database, tmp_path):
    made = Hub(database, tmp_path)
    yield made
    made.watcher.close()


PROGRAM = textwrap.dedent("""
    import sys, threading, time
    from pathlib import Path
    from mft_common import logs
    from mft_common.process.background_tasks import keep_running
    from mft_common.watching import watcher_task
    from tests.contract.test_watching import METADATA, Hub
    from tests.servers.databases import opened
    logs.configure("test", "error")
    url, root, owner = sys.argv[1:]
    hub = Hub(opened(url, METADATA), Path(root), owner=owner, ttl=1.0)
    hub.watcher._now = time.monotonic
    hub.define("a", settle=0.1, interval=0.1)
    print("ready", flush=True)
    stop = threading.Event()
    thread = threading.Thread(target=keep_running, args=(watcher_task("watching", hub.watcher), stop))
    thread.start()
    sys.stdin.readline()
    stop.set()
    thread.join()
    print("end", flush=True)
""")


@contextlib.contextmanager
def programs(database_url, root, count):
    """Start worker processes `w0`, `w1` and so on that take files of `root`, and kill those that are left."""
    arguments = [sys.executable, "-c", PROGRAM, database_url, str(root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    workers = [subprocess.Popen([*arguments, f"w{number}"], env=environment, **pipes) for number in range(count)]
    try:
        assert all(worker.stdout.readline() == "ready\n" for worker in workers)
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_a_file_is_taken_once_after_it_has_settled(hub):
    """Not at its first look, and never again, also after a restart of the worker."""
    hub.define("a", settle=2.0)
    hub.step()
    hub.write("x.csv")
    hub.step()
    hub.step()
    assert hub.taken() == []
    hub.run(5)
    assert hub.taken() == ["x.csv"]
    hub.watcher.close()
    again = Hub(hub.database, hub.root)
    again.define("a", settle=2.0)
    again.run(20)
    again.watcher.close()
    assert hub.taken() == ["x.csv"]


def test_a_writer_that_keeps_an_old_time_is_taken_once_and_whole_b28(hub):
    """A copy with the time of 2001, 1 MiB/s for 10 s, settle 2 s: nothing is taken before its last byte."""
    hub.define("a", settle=2.0)
    path = hub.write("big.bin", modified=978_307_200)
    for _ in range(10):
        with path.open("ab") as file:
            file.write(b"x" * MIB)
        os.utime(path, (978_307_200, 978_307_200))
        hub.step()
        assert hub.taken() == []
    hub.run(10)
    with hub.database.read() as connection:
        assert [row.size for row in connection.execute(sa.select(TAKEN))] == [10 * MIB + 1]


def test_a_file_that_is_replaced_with_the_same_size_and_time_has_another_inode(hub):
    """The settle time begins anew, and a handled file that is replaced is taken again (B28, B29)."""
    hub.define("a", settle=3.0)
    hub.write("x", b"one", modified=1e9)
    hub.step()
    hub.step(2.9)
    hub.write(".new", b"two", modified=1e9).rename(hub.root / "in" / "x")
    hub.step(0.2)
    hub.step(2.9)
    assert hub.taken() == []
    hub.run(10)
    assert hub.taken() == ["x"]
    hub.write(".new", b"six", modified=1e9).rename(hub.root / "in" / "x")
    hub.run(20)
    assert hub.taken() == ["x", "x"]


def test_late_files_with_equal_and_older_times_are_taken_b29(hub):
    """Two files of one time, a third that arrives after the first poll, and one from 2001: all handled once."""
    hub.define("a")
    hub.write("1", modified=1.5e9)
    hub.write("2", modified=1.5e9)
    hub.run(5)
    hub.write("3", modified=1.5e9)
    hub.run(15)
    hub.write("4", modified=978_307_200)
    hub.run(15)
    assert hub.taken() == ["1", "2", "3", "4"]


def test_temporary_names_are_passed_over_until_they_are_renamed_b28(hub):
    """`.part` and `.filepart` of others, our own, and further patterns of the definition."""
    hub.define("a", temporary=Patterns(("*.part", "*.filepart", "*.uploading")))
    names = ["a.csv.part", "b.csv.filepart", "c.csv.uploading", ".d.csv.0123456789ABCDEF.part"]
    paths = [hub.write(name) for name in names]
    hub.run(15)
    assert hub.taken() == []
    paths[0].rename(hub.root / "in" / "a.csv")
    hub.run(15)
    assert hub.taken() == ["a.csv"]


def test_one_scan_serves_all_watches_of_a_folder(hub, monkeypatch):
    """Each has its patterns, settle time and depth; the folder is listed once for both."""
    hub.define("a", patterns=Patterns(("*.csv",)), exclude=Patterns(("draft-*",)))
    hub.define("b", settle=5.0, depth=1)
    counted = []
    listing = local(hub.root, "in")
    files = listing.files
    listing.files = lambda **more: counted.append(hub.at) or files(**more)
    hub.listings["in"] = listing
    for name in ("x.csv", "draft-y.csv", "z.txt", "sub/w.csv", "sub/deeper/v.csv"):
        (hub.root / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        hub.write(name)
    hub.run(4)
    assert hub.taken() == ["x.csv"]
    hub.run(10)
    assert hub.taken("a") == ["x.csv"]
    assert hub.taken("b") == ["draft-y.csv", "sub/w.csv", "x.csv", "z.txt"]
    assert len(counted) == len(set(counted))


def test_links_and_special_files_are_passed_over(hub):
    """A link to a file outside and a pipe are not taken; a name that is not UTF-8 is."""
    hub.define("a", handle=lambda _, files: names.extend(one.path for one in files))
    names = []
    hub.write("real")
    (hub.root / "in" / "link").symlink_to(hub.root / "in" / "real")
    os.mkfifo(hub.root / "in" / "pipe")
    (hub.root / "in" / os.fsdecode(b"\xff.csv")).write_bytes(b"x")
    hub.run(5)
    assert sorted(names) == ["real", "\udcff.csv"]


def test_what_is_gone_is_forgotten_and_taken_again_when_it_comes_back(hub):
    """The memory holds a row for each name in the folder and no more; a new appearance is a new file."""
    hub.define("a")
    paths = [hub.write(f"f{number}") for number in range(20)]
    hub.run(5)
    assert hub.remembered() == 20
    for path in paths[:15]:
        path.unlink()
    hub.run(90)
    assert hub.remembered() == 5
    hub.write("f0")
    hub.run(5)
    assert hub.taken().count("f0") == 2
    assert len(hub.taken()) == 21


def test_a_folder_that_cannot_be_read_forgets_nothing(hub):
    """While its folder is away nothing is pruned, the watch is told, and the pause grows; then work goes on."""
    told = []
    hub.define("a", failed=lambda _, error: told.append(error))
    hub.write("x")
    hub.run(5)
    (hub.root / "in").rename(hub.root / "away")
    hub.run(60)
    assert 2 <= len(told) <= 6
    assert isinstance(told[0], NotFound)
    (hub.root / "away").rename(hub.root / "in")
    hub.write("y")
    hub.run(120)
    assert hub.taken() == ["x", "y"]


@pytest.mark.parametrize(("seconds", "every"), [(3, 1), (1800, 20)])
def test_a_mount_that_is_away_for_a_while_triggers_nothing_again(hub, seconds, every):
    """The folder under the mount is empty, or holds a file of its own; the mounted files come back as they were."""
    hub.define("a")
    paths = [hub.write(f"f{number}") for number in range(5)]
    hub.run(5)
    paths[0].parent.rename(hub.root / "away")
    hub.write("NOT-MOUNTED")
    hub.run(seconds, every)
    assert hub.remembered() >= 5
    (hub.root / "in").rename(hub.root / "below")
    (hub.root / "away").rename(hub.root / "in")
    hub.run(120)
    assert sorted({*hub.taken(), "NOT-MOUNTED"}) == ["NOT-MOUNTED", *(path.name for path in paths)]
    assert len([name for name in hub.taken() if name != "NOT-MOUNTED"]) == 5


def test_a_folder_that_was_made_anew_forgets_the_files_of_the_former_one_after_an_hour(hub):
    """It may be another folder for ever; then its memory holds its own files alone."""
    hub.define("a")
    for number in range(5):
        hub.write(f"f{number}")
    hub.run(5)
    (hub.root / "in").rename(hub.root / "away")
    hub.write("new")
    hub.run(3700, every=50)
    assert hub.remembered() == 1


def test_a_folder_that_is_removed_while_it_is_listed_is_no_empty_folder(hub):
    """Its open descriptor shows nothing then, which must not count as a listing."""
    told = []
    listing = local(hub.root, "in")
    opened = listing.folder.open

    class Removed:
        root = listing.folder.root
        path = "in"
        shown = "file:in"

        def open(self):
            made = opened()
            (hub.root / "in").rmdir()
            return made

    listing.folder = Removed()
    hub.listings["in"] = listing
    hub.define("a", failed=lambda _, error: told.append(error))
    hub.step()
    assert isinstance(told[0], NotFound)


def test_a_slow_listing_beside_a_transfer_that_deletes_triggers_once_b25(hub):
    """The listing names the file, its transfer deletes it, and the former listing goes on: one trigger."""
    listing = local(hub.root, "in")
    files = listing.files
    doomed = hub.write("x")

    def slow(**more):
        found = list(files(**more))
        if hub.taken():
            doomed.unlink(missing_ok=True)
        yield from found

    listing.files = slow
    hub.listings["in"] = listing
    hub.define("a")
    hub.run(100)
    assert not doomed.exists()
    assert hub.taken() == ["x"]
    assert hub.remembered() == 0


def test_a_changed_definition_takes_what_is_new_and_nothing_twice_b26(hub):
    """20 applies with another interval while 50 files arrive: 50 files are taken, each by a definition in force."""
    hub.define("a", "0")
    for number in range(50):
        hub.write(f"f{number:02d}")
        if number % 5 in (0, 2):
            hub.define("a", f"{number}", interval=0.5 + number / 50)
        hub.step(0.7)
    hub.run(15)
    assert hub.taken() == [f"f{number:02d}" for number in range(50)]


def test_a_poll_that_runs_while_its_definition_changes_takes_nothing_more_b26(hub):
    """The change commits between the listing and the hand-over: the old generation is refused, the new one takes."""
    listing = local(hub.root, "in")
    files = listing.files
    changes = []

    def listed(**more):
        yield from files(**more)
        if changes:
            changes.pop()()

    listing.files = listed
    hub.listings["in"] = listing
    hub.define("a", "old")
    hub.write("x")
    hub.step()
    changes.append(lambda: hub.define("a", "new"))
    hub.step(2)
    assert hub.taken() == []
    hub.run(5)
    with hub.database.read() as connection:
        assert [tuple(row) for row in connection.execute(sa.select(TAKEN.c.path, TAKEN.c.definition))] == [("x", "new")]


def test_a_removed_watch_takes_nothing_and_leaves_no_rows(hub):
    """Watches that the configuration does not name any more go with their memory; others stay."""
    hub.define("t_x/a")
    hub.define("t_x/b")
    hub.define("tax/c")
    hub.write("x")
    hub.run(5)
    with hub.database.write() as connection:
        MEMORY.keep_only(connection, "t_x/", ["t_x/b"])
    del hub.watches["t_x/a"]
    hub.write("y")
    hub.run(15)
    assert [len(hub.taken(key)) for key in ("t_x/a", "t_x/b", "tax/c")] == [1, 2, 2]
    assert [hub.remembered(key) for key in ("t_x/a", "t_x/b", "tax/c")] == [0, 2, 2]


def test_a_watch_whose_memory_was_cleared_takes_its_files_again(hub):
    """A reset by another process reaches the worker that scans."""
    hub.define("a")
    hub.write("x")
    hub.run(5)
    with hub.database.write() as connection:
        MEMORY.forget(connection, "a")
    hub.run(5)
    assert hub.taken() == ["x", "x"]


def test_a_failed_handler_keeps_its_files_for_later(hub):
    """Its transaction is rolled back, nothing is remembered, and after a pause the files are handed over again."""
    hub.define("a")
    hub.errors = [RuntimeError("one"), RuntimeError("two")]
    hub.write("x")
    hub.run(5)
    assert (hub.taken(), hub.remembered()) == ([], 0)
    hub.run(60)
    assert hub.taken() == ["x"]


@pytest.mark.parametrize("bad", [["f07"], ["f00", "f19"], [f"f{number:02d}" for number in range(0, 20, 2)]])
def test_a_file_whose_handler_fails_stops_no_other_file(hub, bad):
    """The others of its batch are handed over soon, once; it is tried again, later each time, until it works."""
    logs.configure("tests", "error")
    bad, tries = list(bad), []

    def handle(connection, files):
        tries.append((hub.at, [one.path for one in files]))
        if any(one.path in bad for one in files):
            raise RuntimeError("refused")
        connection.execute(sa.insert(TAKEN), [{"watch": "a", "path": one.path} for one in files])

    hub.define("a", handle=handle)
    names = [f"f{number:02d}" for number in range(20)]
    for name in names:
        hub.write(name)
    hub.run(4)
    good = [name for name in names if name not in bad]
    assert hub.taken() == good
    hub.run(200)
    assert hub.taken() == good
    alone = [at for at, paths in tries if paths == bad[:1]]
    pauses = [later - earlier for earlier, later in itertools.pairwise(alone)]
    assert 4 <= len(pauses) <= 6
    assert pauses == sorted(pauses)
    hub.write("late")
    hub.run(8)
    assert hub.taken() == sorted([*good, "late"])
    bad.clear()
    hub.run(310)
    assert hub.taken() == sorted([*names, "late"])


def test_a_handler_that_fails_for_every_file_is_called_less_and_less(hub):
    """After eight files that failed alone the watch pauses; nothing is lost when the handler works again."""
    logs.configure("tests", "error")
    broken, calls = [True], []

    def handle(connection, files):
        calls.append(hub.at)
        if broken:
            raise RuntimeError("refused")
        connection.execute(sa.insert(TAKEN), [{"watch": "a", "path": one.path} for one in files])

    hub.define("a", handle=handle)
    names = [f"f{number:03d}" for number in range(100)]
    for name in names:
        hub.write(name)
    hub.run(400)
    assert len(calls) < 300
    broken.clear()
    hub.run(310)
    assert hub.taken() == names


def test_files_wait_while_a_watch_is_closed(hub):
    """Outside its window, or paused, a watch takes nothing; afterwards it takes what came meanwhile."""
    state = {"open": False}
    hub.define("a", is_open=lambda: state["open"])
    hub.write("x")
    hub.run(20)
    assert hub.taken() == []
    state["open"] = True
    hub.run(3)
    assert hub.taken() == ["x"]


def test_a_wake_up_brings_a_scan_early_and_lost_ones_cost_time_alone_b30(hub):
    """With an interval of 60 s a wake-up scans at once; without any the slow scan finds the file all the same."""
    hub.define("a", interval=60.0, settle=0.0)
    hub.step()
    hub.write("x")
    hub.step()
    assert hub.taken() == []
    for _ in range(2):
        hub.watcher.wake("in")
        hub.step(0.1)
    hub.watcher.wake("elsewhere")
    assert hub.taken() == ["x"]
    hub.write("y")
    hub.run(150, every=30)
    assert hub.taken() == ["x", "y"]


def test_a_file_changed_in_place_is_found_by_the_slow_scan_b30(hub):
    """The folder's modification time does not tell of it; an unchanged folder is listed every 10 s all the same."""
    hub.define("a")
    path = hub.write("x")
    os.utime(hub.root / "in", (1e9, 1e9))
    hub.run(20)
    path.write_bytes(b"more")
    hub.run(15)
    assert hub.taken() == ["x", "x"]


def test_a_folder_that_did_not_change_is_not_listed(hub):
    """Between two slow scans only its modification time is read."""
    listing = local(hub.root, "in")
    files, counted = listing.files, []
    listing.files = lambda **more: counted.append(1) or files(**more)
    hub.listings["in"] = listing
    hub.define("a")
    os.utime(hub.root / "in", (1e9, 1e9))
    hub.run(100)
    assert 9 <= len(counted) <= 13


def test_a_folder_moved_in_with_its_files_is_found_b30(hub):
    """A folder that arrives by a rename brings no events for its files; each of them is taken once."""
    hub.define("a", depth=None)
    (hub.root / "outside" / "deep").mkdir(parents=True)
    for name in ("1", "deep/2"):
        (hub.root / "outside" / name).write_bytes(b"x")
    hub.run(3)
    (hub.root / "outside").rename(hub.root / "in" / "moved")
    hub.run(15)
    assert hub.taken() == ["moved/1", "moved/deep/2"]


class FakeEndpoint:
    """A far folder with `entries`; `error` is raised in the middle of a listing."""

    def __init__(self, entries):
        self.entries, self.error, self.opened = entries, None, 0

    def __enter__(self):
        self.opened += 1
        return self

    def __exit__(self, *_):
        pass

    def list(self, patterns, *, recursive, skipped):
        yield from self.entries
        if self.error:
            raise self.error


def test_far_folders_are_scanned_beside_the_others(hub):
    """Identity is the version, or size and time where there is none; a listing that breaks off forgets nothing."""
    far = FakeEndpoint([Entry("x", 1, 1000, "v1"), Entry("y", 1, 1000)])
    hub.listings["far"] = EndpointListing(lambda: far)
    hub.define("a", folder="far")

    def scanned(seconds):
        for _ in range(seconds):
            before = far.opened
            hub.step()
            wait_until(lambda before=before: far.opened > before or hub.step(0.5))
            wait_until(lambda: all(one.done() for one in hub.watcher._running.values()))

    scanned(5)
    assert hub.taken() == ["x", "y"]
    far.entries, far.error = [Entry("x", 1, 1000, "v2")], Transient("cut")
    scanned(2)
    assert hub.remembered() == 2
    far.error = None
    scanned(8)
    assert hub.taken() == ["x", "x", "y"]
    hub.at += 60
    scanned(2)
    assert hub.remembered() == 1


@pytest.mark.parametrize("seconds", [5, 1800])
def test_an_endpoint_that_answers_with_nothing_for_a_while_triggers_nothing_again(hub, seconds):
    """Its files are remembered for an hour, so that they are the same ones when it shows them again."""
    far = FakeEndpoint([Entry("x", 1, 1000, "v1"), Entry("y", 1, 1000)])
    hub.listings["far"] = EndpointListing(lambda: far)
    hub.define("a", folder="far", interval=5.0)

    def scanned(count):
        for _ in range(count):
            before = far.opened
            wait_until(lambda before=before: far.opened > before or hub.step(5))
            wait_until(lambda: all(one.done() for one in hub.watcher._running.values()))

    scanned(5)
    entries, far.entries = far.entries, []
    scanned(4)
    hub.at += seconds
    scanned(4)
    assert hub.remembered() == 2
    far.entries = entries
    scanned(4)
    assert hub.taken() == ["x", "y"]
    far.entries = []
    scanned(4)
    hub.at += 3600
    scanned(4)
    assert hub.remembered() == 0


def test_of_two_workers_one_scans_and_the_other_goes_on_after_it(database, tmp_path):
    """The second one scans nothing while the first holds the lease, and at once after it has ended."""
    first, second = Hub(database, tmp_path, owner="1"), Hub(database, tmp_path, owner="2")
    for one in (first, second):
        one.define("a")
    first.step()
    first.write("x")
    for _ in range(5):
        first.step()
        second.step()
    assert first.taken() == ["x"]
    assert second.watcher._scans == {}
    first.watcher.close()
    first.write("y")
    second.run(5)
    assert second.taken() == ["x", "y"]
    second.watcher.close()


def test_a_listing_that_takes_longer_than_the_lease_keeps_it(database, tmp_path):
    """The lease is renewed meanwhile: the listing is not made in vain, and no other worker begins a second one."""
    first, second = Hub(database, tmp_path, owner="1", ttl=2.0), Hub(database, tmp_path, owner="2", ttl=2.0)
    for one in (first, second):
        one.define("a", settle=0.0, looks=1)
    listing = local(tmp_path, "in")
    files = listing.files

    def slow(**more):
        end = time.monotonic() + 2.5
        wait_until(lambda: second.step() and time.monotonic() > end)
        yield from files(**more)

    listing.files = slow
    first.listings["in"] = listing
    first.write("x")
    first.step()
    assert first.taken() == ["x"]
    assert second.watcher._scans == {}
    for one in (first, second):
        one.watcher.close()


def test_a_slow_local_folder_holds_up_no_other(hub):
    """After a listing that took long the next ones are made by a thread of their own."""
    listing = local(hub.root, "slow")
    (hub.root / "slow").mkdir()
    files, waits, go = listing.files, [], threading.Event()

    def slow(**more):
        if waits:
            go.wait(20)
        waits.append(1)
        hub.at += 5
        yield from files(**more)

    listing.files = slow
    hub.listings["slow"] = listing
    hub.define("s", folder="slow")
    hub.define("a")
    hub.write("x")
    hub.run(60)
    assert hub.taken("a") == ["x"]
    assert len(waits) == 1
    go.set()


def test_a_wake_up_beside_an_earlier_one_is_not_taken_before_its_transaction_is_visible(database):
    """The scan that follows would not see yet what the transaction has brought."""
    with database.write() as connection:
        MEMORY.wake(connection, "in")

    def take():
        with database.write() as other:
            MEMORY.take_woken(other)

    taking = threading.Thread(target=take)
    with database.write() as connection:
        MEMORY.wake(connection, "in")
        taking.start()
        taking.join(0.5)
        assert taking.is_alive()
    taking.join()
    with database.read() as connection:
        assert not MEMORY.has_woken(connection)


def test_the_scanning_worker_is_woken_by_another_one(database, tmp_path):
    """The one that handles an event may be another than the one that scans; the commit of its transaction wakes it."""
    first, second = Hub(database, tmp_path, owner="1"), Hub(database, tmp_path, owner="2")
    for one in (first, second):
        one.define("a", interval=600.0, settle=0.0, looks=1)
        one.step()
    first.write("x")
    with database.write() as connection:
        for _ in range(2):
            second.watcher.wake_any(connection, "in")
        second.watcher.wake_any(connection, "unknown")
    first.step()
    first.step(0.1)
    assert first.taken() == ["x"]
    first.write("y")
    with database.write() as connection:
        first.watcher.wake_any(connection, "in")
        assert not MEMORY.has_woken(connection)
    first.step(0.1)
    assert first.taken() == ["x", "y"]
    for one in (first, second):
        one.watcher.close()


def test_a_worker_that_lost_its_lease_takes_nothing_by_its_old_scan(database, tmp_path):
    """Meanwhile another worker took the file, it was deleted and its row forgotten: it is not taken again (B25)."""
    first, second = Hub(database, tmp_path, owner="1"), Hub(database, tmp_path, owner="2")
    for one in (first, second):
        one.define("a")
    listing = local(tmp_path, "in")
    files, lapses = listing.files, []

    def listed(**more):
        yield from files(**more)
        if lapses:
            lapses.pop()
            with database.write() as connection:
                connection.execute(sa.text("UPDATE leases SET until = 0"))
            second.run(5)
            (tmp_path / "in" / "x").unlink()
            second.run(90)
            assert second.remembered() == 0

    listing.files = listed
    first.listings["in"] = listing
    first.write("x")
    first.step()
    lapses.append(1)
    first.step(2)
    assert lapses == []
    assert first.taken() == ["x"]
    first.run(5)
    assert first.watcher._scans == {}
    first.write("y")
    second.run(15)
    assert first.taken() == ["x", "y"]
    for one in (first, second):
        one.watcher.close()


@pytest.mark.parametrize("count", [2000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_each_file_of_a_burst_is_taken_once_b30(hub, count):
    """Files arrive as fast as they can be made while the folder is scanned, without any event."""
    hub.define("a", settle=0.5)
    over = threading.Event()

    def burst():
        # By a rename, because the test's clock runs faster than a thread that pauses between the name and its bytes.
        for number in range(count):
            (hub.root / "next").write_bytes(b"x" * (number % 7))
            (hub.root / "next").rename(hub.root / "in" / f"f{number:05d}")
        over.set()

    thread = threading.Thread(target=burst)
    thread.start()
    while not over.is_set():
        hub.step(0.3)
    thread.join()
    hub.run(20)
    assert hub.taken() == [f"f{number:05d}" for number in range(count)]
    assert hub.remembered() == count


@pytest.mark.parametrize("count", [1000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_two_workers_take_each_file_of_a_burst_once_b30(database, database_url, tmp_path, count):
    """Files arrive as fast as they can be made; the worker that scans is killed in the middle."""
    hub = Hub(database, tmp_path)
    hub.define("a")
    with programs(database_url, tmp_path, 2) as workers:
        for number in range(count):
            hub.write(f"f{number:05d}")
            if number == count // 2:
                wait_until(lambda: hub.taken_count() > 0, within=60)
                workers[int(hub.owner()[1])].kill()
        wait_until(lambda: hub.taken_count() >= count, within=120)
    assert hub.taken() == [f"f{number:05d}" for number in range(count)]


def test_the_task_takes_files_by_the_clock_of_the_machine(database, tmp_path):
    """The thread of a worker scans until it is stopped, and gives its lease back."""
    hub = Hub(database, tmp_path)
    hub.watcher._now = time.monotonic
    hub.define("a", settle=0.1, interval=0.1)
    stop = threading.Event()
    thread = threading.Thread(target=watcher_task("watching", hub.watcher).run, args=(stop,))
    thread.start()
    hub.write("x")
    wait_until(hub.taken)
    stop.set()
    hub.watcher.wake("in")
    thread.join(60)
    assert not thread.is_alive()
    hub.watcher.close()
    with database.write() as connection:
        assert LEASES.claim(connection, "watching/tests", "other", 1.0) is not None


def test_the_tables_can_be_dropped(database):
    """A migration can be undone."""
    with database.engine.connect() as connection, connection.begin():
        drop_tables(Op(connection))
        assert not sa.inspect(connection).has_table("watch_handled")


def test_three_workers_one_frozen_and_one_killed_take_each_file_once(database, database_url, tmp_path):
    """The worker that scans is stopped past its lease, then another is killed: every file is taken, and once."""
    hub = Hub(database, tmp_path)
    hub.define("a")
    with programs(database_url, tmp_path, 3) as workers:
        drawn = random.Random(8)

        def put(first, count):
            for number in range(first, first + count):
                hub.write(f"f{number:03d}", b"x" * drawn.randrange(5))

        put(0, 100)
        wait_until(lambda: len(hub.taken()) == 100)
        put(100, 99)

        def stopped():
            scanning = workers[int(hub.owner()[1])]
            return scanning if stop_between_writes(database, scanning.pid) else None

        frozen = wait_until(stopped, what="a worker that is stopped")
        # The others may have taken all of them by now.
        put(199, 1)
        wait_until(lambda: len(hub.taken()) == 200)
        killed = workers[int(hub.owner()[1])]
        assert killed is not frozen
        put(200, 100)
        killed.kill()
        frozen.send_signal(signal.SIGCONT)
        wait_until(lambda: len(hub.taken()) >= 300)
        for worker in workers:
            if worker is not killed:
                assert worker.communicate("\n", timeout=20)[0] == "end\n"
    assert hub.taken() == [f"f{number:03d}" for number in range(300)]
