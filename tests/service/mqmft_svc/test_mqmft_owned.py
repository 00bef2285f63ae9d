"""The counters and the recovery of a managed transfer that a worker has, over both kinds of database (73-75, 170)."""

import contextlib
import dataclasses
import threading

import pytest

from mft_common.clock import now_ms
from mft_common.database.leases import Lease
from mft_common.process.runner import End
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.operations.managed.called import CalledTransfer
from mqmft_svc.operations.managed.child import RUN
from mqmft_svc.operations.managed.owned import OwnedTransfer
from mqmft_svc.operations.managed.process import INTERRUPTED, TransferProcess
from mqmft_svc.store import managed as store
from tests.servers.processes import wait_until
from tests.service.mqmft_svc.managed_hub import ended, hub, make, peer, recorded, row, submit, whole

__all__ = ["hub", "make", "peer", "recorded"]


def taken(hub, *items, **transfer_set):
    """Submit items, and take their transfer as a worker does."""
    id_ = submit(hub, *items, **transfer_set)
    with hub.service.database.write() as connection:
        found = store.take(connection, id_, "worker", now_ms())
    return OwnedTransfer(hub.service.database, found, now_ms)


def file(position, name, **values):
    """Return a file of an item of the same number."""
    return ManagedFile(position=position, item=position, source=name, destination=name, **values).to_json()


@pytest.mark.usefixtures("recorded")
def test_75_files_that_were_under_way_when_a_transfer_failed_have_failed(hub):
    """Item 75: successes and failures are all files, also where recovery was not wanted any more."""
    owned = taken(hub, ("a", "a"), ("b", "b"), ("c", "c"), recoveryTimeout=0)
    owned.found([file(0, "a"), file(1, "b"), file(2, "c")])
    owned.note(file(0, "a", state="warning", description="The source was not deleted.", delivered=True))
    owned.progress(1, 5)
    owned.recover("the endpoint is silent")
    found = ended(hub, owned.transfer.id)
    counted = {name: found["statistics"][f"numberOfFile{name}"] for name in ("s", "Successes", "Failures", "Warnings")}
    assert found["status"]["state"] == "failed"
    assert counted == {"s": 3, "Successes": 1, "Failures": 2, "Warnings": 1}
    assert [item["status"]["state"] for item in found["transferSet"]["item"]] == ["successful", "failed", "failed"]


@pytest.mark.usefixtures("recorded")
def test_73_a_transfer_that_recovers_before_its_first_file_keeps_the_number_of_files(hub):
    """Item 73: those that were asked for are counted as before the worker died."""
    owned = taken(hub, ("a", "a"), ("b", "b"))
    owned.recover("the worker of the transfer has died")
    id_ = owned.transfer.id
    wait_until(lambda: whole(hub, id_)["statistics"]["retryCount"] == 1, what="the record of the recovery")
    assert whole(hub, id_)["statistics"]["numberOfFiles"] == 2


class SlowDatabase:
    """A database whose transactions wait before their commit once `is_slow`, until `goes_on` is set."""

    def __init__(self, database):
        self.is_slow, self.waits, self.goes_on = False, threading.Event(), threading.Event()
        self._database = database
        self.read = database.read

    @contextlib.contextmanager
    def write(self):
        """Give a transaction."""
        with self._database.write() as connection:
            yield connection
            if self.is_slow:
                self.waits.set()
                self.goes_on.wait(30)


def test_170_225_a_checkpoint_ends_a_recovery_also_while_its_worker_tells_of_progress(hub):
    """Items 170 and 225: the next recovery counts from its own begin, whatever another thread stores meanwhile."""
    first = taken(hub, ("a", "a"), recoveryTimeout=60).transfer
    with hub.service.database.write() as connection:
        store.update(connection, first.id, recovering_since=1)
    database, times = SlowDatabase(hub.service.database), [now_ms()]
    owned = OwnedTransfer(database, dataclasses.replace(first, recovering_since=1), lambda: times[-1])
    owned.found([file(0, "a")])
    owned.progress(0, 1)
    times.append(times[-1] + 1000)
    database.is_slow = True
    threads = [
        threading.Thread(target=owned.tell),
        threading.Thread(target=owned.checkpoint, args=(0, {"position": 1})),
    ]
    threads[0].start()
    assert database.waits.wait(30)
    threads[1].start()
    with contextlib.suppress(AssertionError):
        wait_until(lambda: owned.transfer.recovering_since is None, within=0.5)
    database.goes_on.set()
    for thread in threads:
        thread.join(30)
    assert row(hub, first.id).recovering_since is None


class Late(str):
    """No word for the end of a transfer; the end of the worker asks for one while this is compared."""

    __slots__ = ("process",)
    __hash__ = str.__hash__

    def __eq__(self, other):
        self.process.stop(INTERRUPTED)
        return super().__eq__(other)


def test_225_the_end_of_a_worker_that_comes_while_an_end_is_stored_is_no_end_of_the_transfer(hub):
    """Item 225: the child had died by itself, so the transfer recovers; `interrupted` is no state of one."""
    owned = CalledTransfer(hub.service.database, taken(hub, ("a", "a")).transfer, now_ms)
    process = TransferProcess(hub.service.runner, owned, RUN, {}, Lease("", "worker", 0, 60.0))
    process._asked = Late()
    process._asked.process = process
    process._ended(End(-11))
    assert process._asked == INTERRUPTED
    assert (row(hub, owned.transfer.id).status, row(hub, owned.transfer.id).retries) == ("queued", 1)
