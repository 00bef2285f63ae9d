"""Commits that a process has made before it is forked."""

import os
import sys
import traceback

import sqlalchemy as sa

from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import deleted_blobs


def add(number):
    return lambda connection: connection.execute(sa.insert(deleted_blobs).values(fileset=number, deleted_at=0))


def in_a_child(work):
    """Do `work()` in a forked process, which then ends at once; return its exit code."""
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            traceback.print_exc()
            os._exit(0 if sys.exc_info()[0] is None else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_process_has_a_connection_and_a_turn_of_its_own(lab):
    """A forked process opens a connection and a lock of its own: SQLite's do not survive a fork."""
    database = lab.service.database
    commits = Commits(database)
    commits.run(add(1))

    def child():
        database.engine.dispose(close=False)
        for number in range(2, 30):
            commits.run(add(number))

    assert in_a_child(child) == 0
    for number in range(30, 60):
        commits.run(add(number))
    with database.read() as connection:
        assert set(connection.execute(sa.select(deleted_blobs.c.fileset)).scalars()) == set(range(1, 60))
