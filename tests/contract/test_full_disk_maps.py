"""Files that are mapped into memory, on a file system without room: an error or a detour, never a dead process."""

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from mft_common.database import Database, shared_memory
from tests.servers.small_disk import run_on_small_disk

ROOT = Path(__file__).parents[2]

# Fills its disk but for so many blocks, then counts with labels that are new each time, and makes room again.
COUNTING = """
import os, sys, time
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tests.servers.processes import wait_until
from tests.servers.small_disk import SmallDisk
folder, leave = Path(sys.argv[1]), int(sys.argv[2])
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
from mft_common.process import metrics
disk = SmallDisk(os.getpid(), folder)
disk.fill(leave)
rounds = 0

def counted():
    global rounds
    rounds += 1
    for number in range(1000):
        metrics.count("service", f"protocol-{number}", "/route", "GET", 200, seconds=0.1)
    return metrics.render().decode().count("mft_requests_total{")

print(counted() < 1000)
disk.make_room()
wait_until(lambda: counted() == 1000, what="all figures")
last = 'mft_requests_total{method="GET",protocol="protocol-999",route="/route",service="service",status="200"}'
print(f"{last} {float(rounds)}" in metrics.render().decode())
"""

# Opens a database on a disk with so many free blocks and writes until that fails.
WRITING = """
import os, sqlite3, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tests.servers.small_disk import SmallDisk
import sqlalchemy as sa
from mft_common.database import Database
from mft_common.errors import Unavailable
folder, leave = Path(sys.argv[1]), int(sys.argv[2])
plain = sqlite3.connect(folder / "a.db", isolation_level=None)
plain.execute("PRAGMA journal_mode=WAL")
plain.execute("CREATE TABLE t (x)")
plain.close()
disk = SmallDisk(os.getpid(), folder)
disk.fill(leave)
try:
    database = Database(f"sqlite:///{folder}/a.db", schema="x", metadata=sa.MetaData(), migrations="", head="")
    while True:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(3000))")
except Unavailable:
    print("unavailable")
disk.make_room()
with database.write() as connection:
    connection.exec_driver_sql("INSERT INTO t VALUES (1)")
print("written")
"""

# Opens a database, commits a row and closes it, again and again: the first clears the file, the last removes it.
OPENING = """
import sys
import sqlalchemy as sa
from mft_common.database import Database
for number in range(40):
    database = Database(f"sqlite:///{sys.argv[1]}", schema="x", metadata=sa.MetaData(), migrations="", head="")
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    database.close()
"""


def run(program, folder, leave):
    command = [sys.executable, "-c", program, folder, leave, ROOT]
    return run_on_small_disk(command, folder, mebibytes=8)


@pytest.mark.parametrize("leave", [0, 1, 17, 40])
def test_figures_that_find_no_room_wait_in_memory(tmp_path, leave):
    """Whether the file cannot be made, or cannot grow: nothing dies, and every figure is there when there is room."""
    done = run(COUNTING, tmp_path, leave)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "True"]


@pytest.mark.parametrize("leave", [0, 1, 2, 3, 7, 8, 9, 12, 63, 64, 65, 100])
def test_a_database_on_a_disk_without_room_is_unavailable(tmp_path, leave):
    """Wherever the room ends, in the shared memory or in the log, the answer is Unavailable, and it heals."""
    done = run(WRITING, tmp_path, leave)
    assert (done.returncode, done.stdout.split()) == (0, ["unavailable", "written"]), done.stderr


def test_every_block_of_the_shared_memory_is_allocated(tmp_path):
    """Also where the blocks of the file system are smaller than those in which SQLite asks for them."""
    database = Database(f"sqlite:///{tmp_path}/a.db", schema="x", metadata=sa.MetaData(), migrations="", head="")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    found = (tmp_path / "a.db-shm").stat()
    database.close()
    assert found.st_blocks * 512 >= found.st_size >= 256 * 1024


def test_content_that_no_process_uses_is_cleared(tmp_path):
    """After a power cut the file can hold anything, and SQLite would believe it."""
    file = tmp_path / "a.db-shm"
    file.write_bytes(b"x" * 300_000)
    shared_memory.allocate(str(tmp_path / "a.db"))
    assert file.read_bytes() == bytes(256 * 1024)
    file.write_bytes(b"y" * 300_000)
    shared_memory.allocate(str(tmp_path / "a.db"))
    assert file.read_bytes() == b"y" * 300_000


def test_processes_that_open_and_close_a_database_at_once_lose_nothing(tmp_path):
    """Every commit of each of them is there, and none of them fails."""
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE t (x)")
    command = [sys.executable, "-c", OPENING, str(tmp_path / "a.db")]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(5)]
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert ends == [("", 0)] * 5
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (200,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
