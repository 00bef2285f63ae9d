"""The memory that a process needs to move a file does not depend on the file's size, for any kind of endpoint."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.targets import parse_url
from mft_common.process import memory
from mft_common.transfer import Mover

TOKEN = "0000000000000042"
# Blocks read ahead, parts under way and what the C library keeps; the goal of a whole process is 150 MiB.
MOST_MIB = 96


def anonymous_mib(pid):
    """Return the memory of a process that is its own, pages of files not counted."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) / 1024


def move_there_and_back(folder, far, answer):
    """Move a file to the far side, and back where that is possible; send by how many MiB this process grew at most."""
    over, before, most = threading.Event(), anonymous_mib("self"), [0.0]

    def watch():
        while not over.wait(0.01):
            most[0] = max(most[0], anonymous_mib("self"))

    watching = threading.Thread(target=watch)
    watching.start()
    with open_file(parse_url("file:here"), LocalFolders(folder)) as here, far.open() as there:
        entry = here.stat("large")
        Mover(token=TOKEN).move(here, entry, there, "large")
        moved = Mover(token=TOKEN).move(there, there.stat("large"), here, "back")
    over.set()
    watching.join()
    answer.send((moved.delivered.size, most[0] - before))


@pytest.mark.parametrize("mib", [128, pytest.param(2048, marks=pytest.mark.slow)])
def test_a_file_is_never_held_in_memory(tmp_path, far, mib):
    """A process that moves a large file there and back grows by some blocks, however large the file is."""
    (tmp_path / "here").mkdir()
    with (tmp_path / "here" / "large").open("wb") as file:
        file.truncate(mib << 20)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=move_there_and_back, args=(tmp_path, far, theirs))
    process.start()
    theirs.close()
    try:
        size, grown = ours.recv()
    finally:
        process.join()
        for name in ("large", "back"):
            (tmp_path / "here" / name).unlink(missing_ok=True)
    print(f"{far.kind}: {mib} MiB, grown by {grown:.0f} MiB")
    assert size == mib << 20
    assert grown < MOST_MIB


def move_eight(folder, far, answer):
    """Move eight files to the far side at once; send by how many MiB this process grew at most."""
    memory.keep_freed_blocks()
    over, before, most = threading.Event(), anonymous_mib("self"), [0.0]

    def watch():
        while not over.wait(0.01):
            most[0] = max(most[0], anonymous_mib("self"))

    watching = threading.Thread(target=watch)
    watching.start()
    with (
        open_file(parse_url("file:here"), LocalFolders(folder)) as here,
        far.open() as there,
        ThreadPoolExecutor(8) as pool,
    ):
        names = [f"large{number}" for number in range(8)]
        moves = [pool.submit(Mover(token=TOKEN).move, here, here.stat(name), there, name) for name in names]
        sizes = [moving.result().delivered.size for moving in moves]
    over.set()
    watching.join()
    answer.send((sum(sizes), most[0] - before))


def test_eight_files_at_once_share_the_memory_for_parts_of_a_bucket(tmp_path, far_servers):
    """The process stays under 150 MiB, of which 60 are the libraries; each file has blocks that are read ahead."""
    (tmp_path / "here").mkdir()
    for number in range(8):
        with (tmp_path / "here" / f"large{number}").open("wb") as file:
            file.truncate(40 << 20)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    far = far_servers("s3")("eight")
    process = multiprocessing.get_context("fork").Process(target=move_eight, args=(tmp_path, far, theirs))
    process.start()
    theirs.close()
    try:
        size, grown = ours.recv()
    finally:
        process.join()
    print(f"grown by {grown:.0f} MiB")
    assert size == 8 * 40 << 20
    assert grown < MOST_MIB + 12
