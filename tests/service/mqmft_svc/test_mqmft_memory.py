"""The memory of the child of a managed transfer, by the number of its files (244)."""

from pathlib import Path

import pytest

from tests.servers.managed_transfers import item
from tests.service.mqmft_svc.managed_worker import children, transfer

__all__ = ["children", "transfer"]

FEW, MANY = 2_000, 20_000
# What the child may take more for the many files than for the few.
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
            if data["position"] == count - 1:
                peaks.append(peak_of(one.handle.pid))

        one.before["file_ended"] = measure
        one.run()
        assert (len(one.files), set(one.states())) == (count, {"failed"})
        return peaks[0]

    return peak


def test_244_the_memory_of_a_transfer_does_not_grow_with_the_number_of_its_files(peak):
    """Item 244: ten times as many files of one directory, from their listing to the end of the last one."""
    few = peak(FEW)
    many = peak(MANY)
    assert many - few < MOST
