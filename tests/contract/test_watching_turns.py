"""Which of two transactions waits for the other."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mft_common.watching.memory import digest
from tests.contract.test_watching import MEMORY, database
from tests.servers.databases import waits_for_a_lock
from tests.servers.processes import wait_until

__all__ = ["database"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("taking", [False, True], ids=["wakes", "takes"])
def test_requests_to_scan_are_written_and_taken_in_one_order(database, taking):
    """Two workers that ask for the same folders, or one that asks and one that takes requests, end in no deadlock."""
    low, high = sorted(("x", "y"), key=digest)
    for folder in (high, low):
        with database.write() as connection:
            MEMORY.wake(connection, folder)

    def other():
        with database.write() as connection:
            return MEMORY.take_woken(connection) if taking else MEMORY.wake(connection, high, low)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            MEMORY.wake(connection, low)
            waiting = pool.submit(other)
            wait_until(lambda: waits_for_a_lock(database), what="the other one")
            MEMORY.wake(connection, high)
        assert waiting.result(30) == ([low, high] if taking else None)
