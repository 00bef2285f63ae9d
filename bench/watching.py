"""Measure watched folders: `python bench/watching.py [DATABASE_URL]`, SQLite without one.

Prints the share of a core that 1,000 idle folders of 10 files take while each is scanned every second, then the time in
which 20,000 files that arrive at once are taken, and the time and memory of scans of a folder with 100,000 files.
"""

import os
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import sqlalchemy as sa

from mft_common import logs
from mft_common.database import Database, leases
from mft_common.endpoints.folders import LocalFolder
from mft_common.watching import LocalListing, Memory, Watch, Watcher, create_tables

FOLDERS = 1000
FILES = 10
BURST = 20_000
LARGE = 100_000
IDLE_S = 30.0
METADATA = sa.MetaData()
MEMORY = Memory(METADATA)
LEASES = leases.Leases(METADATA)


def anonymous():
    """Return the anonymous memory of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


class Migration:
    def __init__(self, connection):
        self._connection = connection

    def get_bind(self):
        return self._connection


class Hub:
    """A watcher over folders below `root`, which counts what it takes."""

    def __init__(self, database, root, folders, **more):
        self.root, self.taken = root, 0
        names = [f"{folder}" for folder in folders]
        with database.write() as connection:
            MEMORY.keep_only(connection, "", ())
            for name in names:
                MEMORY.define(connection, name, "1")
        watches = [Watch(key=name, folder=name, handle=self._handle, **more) for name in names]
        self.watcher = Watcher(
            "bench", database, MEMORY, LEASES, definitions=lambda _: watches, listing=self._listing, owner="bench"
        )

    def _handle(self, _connection, files):
        self.taken += len(files)

    def _listing(self, folder):
        return LocalListing(LocalFolder(self.root, folder, self.root / "state", folder))

    def until(self, count):
        while self.taken < count:
            time.sleep(max(self.watcher.step(), 0.1))


def fill(folder, count, name="f"):
    folder.mkdir(exist_ok=True)
    for number in range(count):
        descriptor = os.open(folder / f"{name}{number:06d}", os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, b"x")
        os.close(descriptor)


def idle(database, root):
    folders = [f"w{number:04d}" for number in range(FOLDERS)]
    for folder in folders:
        fill(root / folder, FILES)
    hub = Hub(database, root, folders)
    began = time.perf_counter()
    hub.until(FOLDERS * FILES)
    print(f"{FOLDERS} folders, their {FOLDERS * FILES} files taken in {time.perf_counter() - began:.1f} s")
    stop = threading.Event()
    thread = threading.Thread(target=hub.watcher.run, args=(stop,))
    thread.start()
    time.sleep(12)
    used, began = time.process_time(), time.perf_counter()
    time.sleep(IDLE_S)
    share = (time.process_time() - used) / (time.perf_counter() - began)
    stop.set()
    thread.join()
    hub.watcher.close()
    print(f"{FOLDERS} idle folders, scanned every second: {share * 100:.2f} % of a core")


def burst(database, root):
    (root / "burst").mkdir()
    hub = Hub(database, root, ["burst"])
    hub.watcher.step()
    thread = threading.Thread(target=fill, args=(root / "burst", BURST))
    began = time.perf_counter()
    thread.start()
    hub.until(BURST)
    thread.join()
    print(f"burst of {BURST} files, settle time 1 s: {hub.taken} taken in {time.perf_counter() - began:.1f} s")
    hub.watcher.close()


def large(database, root):
    fill(root / "large", LARGE)
    before = anonymous()
    hub = Hub(database, root, ["large"])
    began = time.perf_counter()
    hub.until(LARGE)
    print(f"{LARGE} files taken in {time.perf_counter() - began:.1f} s")
    print(f"memory that the process holds more: {(anonymous() - before) / LARGE:.0f} bytes a name")
    scan = hub.watcher._scans["large"]
    for _ in range(3):
        scan.wake()
        used, began = time.process_time(), time.perf_counter()
        scan.scan()
        cpu = time.process_time() - used
        print(f"scan of {LARGE} handled files: {time.perf_counter() - began:.2f} s ({cpu:.2f} s of CPU)")
    hub.watcher.close()


def main(root):
    logs.configure("bench", "warning")
    url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{root}/watching.db"
    database = Database(url, schema="bench_watching", metadata=METADATA, migrations="", head="")
    with database.engine.connect() as connection, connection.begin():
        if database.dialect == "postgresql":
            connection.execute(sa.text("CREATE SCHEMA bench_watching"))
        create_tables(Migration(connection))
        leases.create_table(Migration(connection))
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    idle(database, root)
    burst(database, root)
    large(database, root)
    print(f"largest memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    database.close()


with tempfile.TemporaryDirectory() as made:
    main(Path(made))
