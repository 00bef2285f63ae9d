"""Measure protect and unprotect of one file beside the bare loop of item 113: `python bench/protect.py [MiB]`, 1024.

The bare loop reads 64 KiB from one file, encrypts (decrypts) it into a buffer, and writes it to another file. Ours is
the engine with the step of a task: it digests what it reads and what it writes as well. Neither calls fsync. They take
turns over the same files, in memory where /dev/shm has room for them, so that no disk is measured; `ratio` is the bare
loop's time divided by ours, the median of the rounds.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import measure
from mft_common import hpke
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.system import System
from mft_common.hpke import Suite
from mft_common.process import memory as process_memory
from mft_common.transfer import Mover
from mft_common.transfer.steps.sealed import Metadata, Seal, Unseal

ROUNDS = 3
CHUNK = 65_536
LEAST_RATIO = 0.6
MOST_MB = 100
TOKEN = "0000000000000113"
PRIVATE = hpke.generate()
PUBLIC = hpke.public_bytes(Suite.X25519, PRIVATE)


class Unsynced(System):
    """The system without fsync."""

    def sync(self, descriptor):
        """Do nothing."""

    def start_writing(self, descriptor, start, size):
        """Do nothing."""


def folder_for(size):
    """Return a folder with room for the six files of the bench, and as much again: in memory where it can be."""
    shared = Path("/dev/shm")
    room = shutil.disk_usage(shared).free if shared.is_dir() else 0
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    return str(shared) if min(room, available) > 12 * size else tempfile.gettempdir()


def timed(work):
    """Return wall and processor seconds."""
    wall, processor = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - wall, time.process_time() - processor


def bare(source, target, taken, work):
    """Run the loop of item 113; `work(nonce, data, associated, out)` is AESGCM's."""
    out, associated = bytearray(CHUNK + 16), bytes(32)
    with source.open("rb", 0) as reader, target.open("wb", 0) as writer, memoryview(out) as view:
        number = 0
        while data := reader.read(taken):
            made = CHUNK if taken > CHUNK else CHUNK + 16
            work(number.to_bytes(12, "big"), data, associated, view[:made])
            writer.write(view[:made])
            number += 1


def move(source, target, name, step, **options):
    """Move the one file of a folder through a step."""
    system = Unsynced()
    ends = [
        FileEndpoint(Folder(os.open(path, os.O_RDONLY | os.O_DIRECTORY), system=system), system=system)
        for path in (source, target)
    ]
    (entry,) = ends[0].list(Patterns(["*"]))
    Mover(token=TOKEN, steps=[lambda: step(entry)], **options).move(ends[0], entry, ends[1], name)
    for end in ends:
        end.close()


def seal(entry):
    """Return the step that protects."""
    return Seal(bytes(16), Suite.X25519, PUBLIC, Metadata(entry.name, entry.size, 0, 0))


def unseal(_entry):
    """Return the step that restores."""
    return Unseal(lambda header, wrapped: header.unwrap(PRIVATE, wrapped))


def main():
    # As each process does that moves files.
    process_memory.keep_freed_blocks()
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    measure.head("Protect and unprotect", "cryptography")
    verdict = measure.Verdict()
    place = folder_for(size << 20)
    print(f"files in  {place}")
    with tempfile.TemporaryDirectory(prefix="bench-protect-", dir=place) as made:
        plain, sealed, back, loop = (Path(made) / name for name in ("plain", "sealed", "back", "loop"))
        for folder in (plain, sealed, back, loop):
            folder.mkdir()
        with (plain / "a.bin").open("wb") as file:
            for _ in range(size):
                file.write(os.urandom(1 << 20))
        os.sync()
        cipher = AESGCM(bytes(32))
        works = {
            "loop up": lambda: bare(plain / "a.bin", loop / "a", CHUNK, cipher.encrypt_into),
            "protect": lambda: move(plain, sealed, "a.bin.sealed", seal),
            "loop down": lambda: bare(loop / "a", loop / "b", CHUNK + 16, cipher.decrypt_into),
            "unprotect": lambda: move(sealed, back, "a.bin", unseal),
        }
        times = {name: [] for name in works}
        with measure.PeakMemory(os.getpid()) as peak:
            for number in range(ROUNDS + 1):
                for name, work in works.items():
                    found = timed(work)
                    # The first round makes the files; later ones replace them, as each does.
                    if number:
                        times[name].append(found)
        assert (back / "a.bin").read_bytes() == (plain / "a.bin").read_bytes()
    medians = {name: [measure.median(column) for column in zip(*found, strict=True)] for name, found in times.items()}
    for name, (wall, processor) in medians.items():
        print(f"{name:9} {size} MiB: {wall:.2f} s ({processor:.2f} s CPU), {size / wall:.0f} MiB/s")
    for ours, loop in (("protect", "loop up"), ("unprotect", "loop down")):
        ratios = [theirs[0] / own[0] for theirs, own in zip(times[loop], times[ours], strict=True)]
        print(f"{ours:9} ratios of the rounds: {' '.join(f'{ratio:.2f}' for ratio in ratios)}")
        verdict.goal(f"{ours}, ratio to the bare loop", measure.median(ratios), LEAST_RATIO)
    verdict.goal("growth of memory in MB", peak.growth, at_most=MOST_MB)
    verdict.end()


if __name__ == "__main__":
    main()
