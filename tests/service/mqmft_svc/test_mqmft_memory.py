"""The memory of the processes of a managed transfer, by the number of its files (244)."""

import itertools
import json
import tracemalloc
from pathlib import Path

import pytest
import sqlalchemy as sa

from mft_common.clock import now_ms
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.operations.managed.owned import OwnedTransfer
from mqmft_svc.operations.managed.transfer_events import outcome
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import OUTBOX
from tests.servers.managed_transfers import item
from tests.service.mqmft_svc.managed_hub import hub, make, peer, submit
from tests.service.mqmft_svc.managed_worker import children, transfer

__all__ = ["children", "hub", "make", "peer", "transfer"]

FEW, MANY = 2_000, 20_000
# What a process may take more for the many files than for the few.
MOST = 4 << 20
DIRECTORY = {"type": "directory"}


def peak_of(pid):
    """Return the most memory that a process has had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) << 10


@pytest.fixture
def peak(transfer, tmp_path):
    """Return a function that runs a transfer of so many files, all of which are there already, and gives its peak."""

    def peak(count):
        names = [f"d/{number // 500:03}/{'x' * 60}{number % 500:03}" for number in range(count)]
        wanted = item("d", "d", source_options={**DIRECTORY, "recursive": True}, destination_options=DIRECTORY)
        folder = tmp_path / str(count)
        one = transfer(wanted, folder=folder, files=dict.fromkeys(names, b""))
        for number, name in enumerate(names):
            if number % 500 == 0:
                (one.destination / name).parent.mkdir(parents=True)
            (one.destination / name).touch()
        peaks = []

        def measure(data):
            # The child waits for the answer; after the end of its last file it may be gone.
            if data["position"] == count - 1:
                peaks.append(peak_of(one.handle.pid))

        one.before["began"] = measure
        one.run()
        assert (len(one.files), set(one.states())) == (count, {"failed"})
        return peaks[0]

    return peak


def test_244_the_memory_of_a_transfer_does_not_grow_with_the_number_of_its_files(peak):
    """Item 244: ten times as many files of one directory, from their listing to the begin of the last one."""
    few = peak(FEW)
    many = peak(MANY)
    assert many - few < MOST


def test_244_the_memory_of_a_worker_does_not_grow_with_the_number_of_files(hub):
    """Item 244: from the pages of files that a child has found to the event of the transfer's end."""

    def peak(count):
        id_ = submit(hub, ("d", "e", {"s_type": "directory", "d_type": "directory"}))
        with hub.service.database.write() as connection:
            taken = store.take(connection, id_, "worker", 1)
        owned = OwnedTransfer(hub.service.database, taken, now_ms)
        names = (f"d/{'x' * 60}{number}" for number in range(count))
        files = (
            ManagedFile(position=position, item=0, source=name, destination=name) for position, name in enumerate(names)
        )
        tracemalloc.start()
        try:
            while page := [file.to_json() for file in itertools.islice(files, 500)]:
                owned.found(page)
            for position in range(count):
                file = owned._file(position)
                owned.note(file.changed(state="failed", description="BFGIO0006E: exists already.").to_json())
            owned.end(outcome(owned.counts), left=False)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = peak(1_500)
    many = peak(6_000)
    assert many - few < 1 << 20
    with hub.service.database.read() as connection:
        ends = connection.execute(sa.select(OUTBOX.table.c.data).where(OUTBOX.table.c.type == "transfer.ended.v1"))
        totals = [json.loads(data)["totals"] for data in ends.scalars()]
    assert [(one["files"], one["failures"]) for one in totals] == [(1_500, 1_500), (6_000, 6_000)]
