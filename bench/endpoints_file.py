"""Measure copies between folders of this machine beside `cp` and `sync`; run by endpoints.py."""

import hashlib
import os
import subprocess
import time

import measure
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.targets import parse_url
from mft_common.process import memory
from mft_common.process.descendants import with_descendants
from mft_common.transfer import Mover
from mft_common.transfer.steps.openpgp import Encrypt, Home, make_key, read_key
from single_files import TOKEN, make_large, timed

SIZE = 1 << 30
ROUNDS = 5
SMALL = 300
GOAL = 0.8
MEMORY_MIB = 150


def run(folder, *, large):
    """Print the figures of one large file and of many small ones."""
    for name in ("from", "to"):
        (folder / name).mkdir()
    # As the processes that move files do.
    memory.keep_freed_blocks()
    folders = LocalFolders(folder)
    with open_file(parse_url("file:from"), folders) as source, open_file(parse_url("file:to"), folders) as target:
        hashes = hash_rate()
        print(f"hashing   SHA-256 {hashes / 1e6:,.0f} MB/s a core, {os.cpu_count()} cores")
        one_large_file(folder, source, target)
        many_small_files(folder, source, target)
        if large:
            most_memory(folder, source, target)


def hash_rate():
    """Return how many bytes of SHA-256 one core computes in a second."""
    block = bytes(1 << 26)
    began = time.perf_counter()
    hashlib.sha256(block)
    return len(block) / (time.perf_counter() - began)


def one_large_file(folder, source, target):
    make_large(folder / "from/large", SIZE >> 20)
    entry = source.stat("large")

    def peer():
        subprocess.run("cp from/large to/large && sync -f to/large", shell=True, cwd=folder, check=True)

    def ours():
        moved = Mover(token=TOKEN).move(source, entry, target, "large")
        assert moved.delivered.size == SIZE

    figures, processor = {"cp && sync": [], "ours": []}, []
    for _ in range(ROUNDS):
        for name, work in (("cp && sync", peer), ("ours", ours)):
            (folder / "to/large").unlink(missing_ok=True)
            before = os.times()
            figures[name].append(timed(work))
            if name == "ours":
                after = os.times()
                processor.append(after.user + after.system - before.user - before.system)
    peer_s, ours_s = (measure.median(figures[name]) for name in ("cp && sync", "ours"))
    print(f"1 GiB     cp && sync {peer_s:.2f} s; ours, both checksums compared, {ours_s:.2f} s")
    print(f"ratio     {peer_s / ours_s:.2f} times cp && sync (goal {GOAL} where the processor hashes that fast)")
    print(f"processor {measure.median(processor):.2f} s of ours, load of the machine {os.getloadavg()[0]:.1f}")
    print(f"rounds    cp {show(figures['cp && sync'])}; ours {show(figures['ours'])}")


def show(seconds):
    return " ".join(f"{one:.2f}" for one in seconds)


def many_small_files(folder, source, target):
    for number in range(SMALL):
        (folder / f"from/{number:03d}.small").write_bytes(os.urandom(4096))

    def peer():
        subprocess.run("cp from/*.small to/ && sync -f to", shell=True, cwd=folder, check=True)

    def ours():
        for number in range(SMALL):
            entry = source.stat(f"{number:03d}.small")
            Mover(token=TOKEN).move(source, entry, target, entry.path)

    cp_s, ours_s = measure.median([timed(peer) for _ in range(3)]), measure.median([timed(ours) for _ in range(3)])
    print(f"{SMALL} x 4 KiB  cp && sync {cp_s:.2f} s; ours, each file durable by itself, {ours_s:.2f} s")


def most_memory(folder, source, target):
    """Copy 10 GiB, as they are and encrypted, and print the most anonymous memory of a process meanwhile."""
    measure.need("gpg", "gpg-agent")
    with (folder / "from/huge").open("wb") as file:
        file.truncate(10 << 30)
    _, public = make_key(folder, "Bench <bench@example.org>", "of the bench", algorithm="rsa3072", years=1)
    with Home(folder / "private", [read_key("bench", public, secret=False)]) as home:
        for name, steps in (("as it is", None), ("encrypted", (lambda: Encrypt(home, ["bench"]),))):
            most = [0.0]

            def look(_done, most=most):
                most[0] = max(most[0], *map(measure.resident, with_descendants([os.getpid()])))

            mover = Mover(token=TOKEN, progress=look, progress_every=0.1, steps=steps)
            mover.move(source, source.stat("huge"), target, "huge")
            print(f"10 GiB    {name}: {most[0]:.0f} MiB of anonymous memory at most (goal {MEMORY_MIB})")
            (folder / "to/huge").unlink()
