"""Locks of open files, and asking for them without taking one."""

import contextlib
import os

from mft_common.process import file_locks


@contextlib.contextmanager
def opened(path):
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_one_holds_a_file_and_others_see_it(tmp_path):
    """A second open file gets no lock, and sees that there is one."""
    with opened(tmp_path / "lock") as first, opened(tmp_path / "lock") as second:
        assert file_locks.acquire(first)
        assert not file_locks.acquire(second)
        assert file_locks.is_held(second)
        assert not file_locks.is_held(first)


def test_a_lock_goes_with_the_last_descriptor_of_the_open_file(tmp_path):
    """A child that inherited the file would hold it too; closing another descriptor of the file changes nothing."""
    with opened(tmp_path / "lock") as asker:
        with opened(tmp_path / "lock") as holder:
            assert file_locks.acquire(holder)
            inherited = os.dup(holder)
            with opened(tmp_path / "lock"):
                pass
        assert file_locks.is_held(asker)
        os.close(inherited)
        assert not file_locks.is_held(asker)


def test_a_question_keeps_nobody_out(tmp_path):
    """While another thread asks again and again, the lock can be taken at any moment."""
    with opened(tmp_path / "lock") as asker:
        for _ in range(100):
            assert not file_locks.is_held(asker)
            with opened(tmp_path / "lock") as taker:
                assert file_locks.acquire(taker)
                assert file_locks.is_held(asker)
