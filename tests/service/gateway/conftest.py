"""A directory on a database of its own, with hashes that cost next to nothing and a clock that stands still."""

import pytest

from gateway.operations import Operations
from gateway.operations.passwords import Passwords
from gateway.store.tables import open_database


class Time:
    """A clock that stands still until `now` is set."""

    def __init__(self):
        self.now = 1_700_000_000_000

    def __call__(self):
        """Return the time."""
        return self.now


@pytest.fixture
def time():
    """Return the clock of this test."""
    return Time()


@pytest.fixture
def database(tmp_path):
    """Return an empty database."""
    opened = open_database(f"sqlite:///{tmp_path}/gateway.db")
    yield opened
    opened.close()


@pytest.fixture
def make_operations(database, time):
    """Return a function that makes one replica's directory; all share the database."""

    def make(**options):
        return Operations(database, **{"clock": time, "passwords": Passwords(4, wait=0.05, memory_kib=64), **options})

    return make


@pytest.fixture
def operations(make_operations):
    """Return a directory."""
    return make_operations()
