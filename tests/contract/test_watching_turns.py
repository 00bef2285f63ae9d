"""Which files and folders come first, and which of two transactions waits for the other."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from mft_common.endpoints.errors import NotFound
from mft_common.watching import Later, LocalListing
from mft_common.watching.memory import digest
from tests.contract.test_watching import MEMORY, TAKEN, database, hub, local
from tests.servers.databases import waits_for_a_lock
from tests.servers.processes import wait_until

__all__ = ["database", "hub"]


def test_a_wake_up_amid_a_scan_that_fails_brings_the_next_one_early(hub):
    """A change that came meanwhile may be the reason why the folder can be read again."""
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


def test_files_that_come_back_again_and_again_hold_up_no_others(hub):
    """A batch that is full of them every time would leave the files that stand behind them in the folder for ever."""
    back, free_at = [digest(name) for name in ("a", "b")], [0.0]

    class Sorted(LocalListing):
        def files(self, *, depth):
            yield from sorted(super().files(depth=depth), key=lambda found: found.path)

    def handle(connection, files):
        if hub.at < free_at[0]:
            raise Later("waits after the last batch", pause=free_at[0] - hub.at)
        free_at[0] = hub.at + 5
        connection.execute(sa.insert(TAKEN), [{"watch": "a", "path": one.path} for one in files])

    hub.listings["in"] = Sorted(local(hub.root, "in").folder)
    hub.define("a", batch=2, handle=handle)
    for name in ("a", "b"):
        hub.write(name)
    hub.run(3)
    hub.write("z")
    for _ in range(20):
        with hub.database.write() as connection:
            MEMORY.forget_names(connection, "a", back)
        hub.run(2)
    assert "z" in hub.taken()


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
