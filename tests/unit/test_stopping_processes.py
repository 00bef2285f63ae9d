"""The tests' way to stop a process that shares a SQLite database with others."""

import signal
import subprocess
import sys

import sqlalchemy as sa

from tests.servers.databases import opened, stop_between_writes
from tests.servers.processes import wait_until

PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("writes", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("wrote", flush=True)
sys.stdin.readline()
"""


def test_a_process_that_writes_is_not_left_stopped(tmp_path):
    """The lock of its transaction would stop every other writer; after the commit the process stays stopped."""
    path = tmp_path / "test.db"
    database = opened(f"sqlite:///{path}", sa.MetaData())
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], **pipes) as process:
        assert process.stdout.readline() == "writes\n"
        assert not stop_between_writes(database, process.pid)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "wrote\n"
        wait_until(lambda: stop_between_writes(database, process.pid))
        process.send_signal(signal.SIGCONT)
        process.communicate("\n", timeout=60)
    database.close()
