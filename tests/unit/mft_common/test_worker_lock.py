"""The exclusive lock of the one worker of a SQLite database."""

import os
import resource
import threading

import pytest

from mft_common.errors import MftError
from mft_common.process import file_locks
from mft_common.process.worker_lock import WORKER_BYTE, Exclusive


def test_a_worker_acquires_the_lock_while_readiness_reads_its_owner(tmp_path):
    """Reading the owner takes no lock, so that a worker which starts in that moment is not refused."""
    reader, over = Exclusive(tmp_path / "worker"), threading.Event()

    def read():
        while not over.is_set():
            try:
                reader.owner()
            except MftError:
                continue

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(500):
            worker = Exclusive(tmp_path / "worker")
            assert worker.acquire(str(number))
            worker.release()
    finally:
        over.set()
        thread.join()


def test_the_name_of_a_dead_worker_is_not_that_of_the_one_that_starts_e15(tmp_path):
    """Between the lock and the new name the file holds the old one, whose lease lasts: readiness must not see it."""
    dead = Exclusive(tmp_path / "worker")
    dead.acquire("dead")
    dead.release()
    starting = os.open(tmp_path / "worker", os.O_RDWR)
    try:
        assert file_locks.acquire(starting, start=WORKER_BYTE, length=1)
        with pytest.raises(MftError, match="no worker"):
            dead.owner()
        with pytest.raises(MftError, match="another worker"):
            dead.acquire("another")
    finally:
        os.close(starting)


def test_a_second_worker_is_refused_and_the_first_is_named(tmp_path):
    """One worker at a time, and the next as soon as the first has released the lock."""
    first, second = Exclusive(tmp_path / "worker"), Exclusive(tmp_path / "worker")
    first.acquire("first")
    with pytest.raises(MftError, match="another worker"):
        second.acquire("second")
    assert second.owner() == "first"
    first.release()
    with pytest.raises(MftError, match="no worker"):
        second.owner()
    second.acquire("second")
    assert first.owner() == "second"
    second.release()


def test_a_lock_whose_name_cannot_be_written_is_given_back(tmp_path):
    """A full disk refuses the name: the same process tries again, and must not be refused by its own lock."""
    worker = Exclusive(tmp_path / "worker")
    _, most = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        with pytest.raises(OSError, match="too large"):
            worker.acquire("first")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert worker.acquire("first")
    worker.release()
