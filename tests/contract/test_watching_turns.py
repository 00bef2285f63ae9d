"""Which files and folders come first, and which of two transactions waits for the other."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mft_common.endpoints.errors import NotFound
from mft_common.watching.memory import digest
from tests.contract.test_watching import MEMORY, Hub, database, local
from tests.servers.databases import waits_for_a_lock
from tests.servers.processes import wait_until

__all__ = ["database"]


@pytest.fixture
def hub(database, tmp_path):
    """A hub with one watched folder."""
    made = Hub(database, tmp_path)
    yield made
    made.watcher.close()


def test_a_wake_up_amid_a_scan_that_fails_brings_the_next_one_early(hub):
    """What has changed meanwhile may be the reason why the folder can be read again."""
    hub.define("a", settle=0.0, looks=1)
    hub.write("x")
    listing = local(hub.root, "in")

    class OnceAway:
        remote, tells_changes, complete, root, away = False, True, True, None, True

        def unchanged(self):
            return False

        def files(self, *, depth):
            if self.away:
                self.away = False
                hub.watcher.wake("in")
                raise NotFound("in: the folder does not exist")
            yield from listing.files(depth=depth)

        def close(self):
            listing.close()

    hub.listings["in"] = OnceAway()
    hub.step()
    assert hub.taken() == []
    hub.step(0.1)
    assert hub.taken() == ["x"]


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
