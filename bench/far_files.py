"""Move files over s3: and http: endpoints in a process of its own, in turns with another program, and compare.

The start of a process is not counted on either side: our children come from a warm fork server. Digests are taken by
the engine, in another thread, and are not measured here. Small files go one and sixteen at a time over one endpoint.
Processor seconds stand beside the rates, because other programs may run on the machine; those of the server show
where no client can be faster.
"""

import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import measure
from mft_common.endpoints.contract import BLOCK, Entry
from mft_common.endpoints.http import open_http
from mft_common.endpoints.s3 import open_s3
from mft_common.endpoints.targets import Target

TOKEN = "0" * 16
KEY_ID = "the-tests"
SECRET = "of-the-tests"
LARGE_MIB = 256
SMALL = 4096
FILES = 300
ROUNDS = 3


def put(far, path, source):
    """Write one file."""
    writer = far.writer(path, token=TOKEN, size=source.stat().st_size)
    writer.begin()
    with source.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            writer.feed(block)
    writer.seal(source.stat().st_size, "", "sha256")
    writer.commit()


def get(far, path, target):
    """Read one file."""
    reader = far.open(Entry(path))
    with target.open("wb", buffering=0) as file:
        while block := reader.read():
            file.write(block)
    reader.check()
    reader.close()


def opened(kind, host, port, ca):
    """Open our endpoint."""
    if kind == "s3":
        url = f"https://127.0.0.1:{port}"
        return open_s3(Target(scheme="s3", host=host, endpoint=url, key_id=KEY_ID, secret=SECRET, ca=ca))
    return open_http(Target(scheme="https", host=host, port=int(port), folder="/", ca=ca))


def move(far, kind, way, file, sink):
    """Move one file."""
    if way == "up":
        put(far, file.name, file)
    else:
        get(far, file.name, sink / file.name if kind == "s3" else Path(os.devnull))


def child(*arguments):
    """Be our side: move every file of a folder up, or every file of that name down; print both kinds of seconds."""
    *where, way, folder, at_once = arguments
    files, sink = sorted(Path(folder).iterdir()), Path(f"{folder}-down")
    with opened(*where):
        # The library of the protocol is loaded, as it is in a warm fork server.
        pass
    used, began = processor(resource.RUSAGE_SELF), time.perf_counter()
    with opened(*where) as far, ThreadPoolExecutor(int(at_once)) as pool:
        for moved in [pool.submit(move, far, where[0], way, file, sink) for file in files]:
            moved.result()
    print(time.perf_counter() - began, processor(resource.RUSAGE_SELF) - used)


def processor(whose):
    """Return the processor seconds of this process, or of its ended children."""
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def seconds(call, *arguments):
    """Return the wall and processor seconds that a call takes in its child processes."""
    used, began = processor(resource.RUSAGE_CHILDREN), time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began, processor(resource.RUSAGE_CHILDREN) - used


def ours(peer, way, folder, at_once):
    """Run our side and return its own wall and processor seconds."""
    command = [sys.executable, __file__, *peer.ours, way, str(folder), str(at_once)]
    wall, used = subprocess.run(command, check=True, capture_output=True).stdout.split()
    return float(wall), float(used)


def run(name, peer, folder):
    """Compare one large file and many small ones."""
    large, small = folder / "large", folder / "small"
    large.mkdir()
    small.mkdir()
    with (large / "large.bin").open("wb") as file:
        for _ in range(LARGE_MIB):
            file.write(os.urandom(1 << 20))
    for number in range(FILES):
        (small / f"small{number:03}").write_bytes(os.urandom(SMALL))
    print(f"{LARGE_MIB} MiB, and {FILES} files of {SMALL} bytes; peer {peer.version()}")
    compare(name, peer, ROUNDS, large, amount=LARGE_MIB, unit="MiB/s", threads=(1,))
    compare(name, peer, ROUNDS, small, amount=FILES, unit="files/s", threads=(1, 16))


def compare(name, peer, rounds, folder, *, amount, unit, threads):
    """Take turns, and print the medians of both."""
    Path(f"{folder}-down").mkdir(exist_ok=True)
    for way in ("up", "down"):
        peers, mine = [], {at_once: [] for at_once in threads}
        for _ in range(rounds):
            before = measure.processor_of(peer.server.program.pid)
            (wall, used), (start, start_used) = seconds(peer.run, way, folder), seconds(peer.start)
            served = measure.processor_of(peer.server.program.pid) - before
            peers.append((wall - start, used - start_used, served))
            for at_once, times in mine.items():
                before = measure.processor_of(peer.server.program.pid)
                wall, used = ours(peer, way, folder, at_once)
                times.append((wall, used, measure.processor_of(peer.server.program.pid) - before))
        other, other_used, other_served = medians(peers)
        for at_once, times in mine.items():
            wall, used, served = medians(times)
            print(
                f"{'met' if other / wall >= 0.9 else 'missed':6} {name:5} {way:4} {at_once:2} at a time "
                f"{amount / wall:7.1f} {unit}, peer {amount / other:7.1f}: {other / wall:.2f} (>= 0.9); "
                f"processor {used:.2f} s, peer {other_used:.2f} s; in {wall:.2f} s the server worked {served:.2f} s, "
                f"for the peer {other_served:.2f} s in {other:.2f} s",
                flush=True,
            )


def medians(tuples):
    """Return the median of each place of the tuples."""
    return tuple(measure.median(list(column)) for column in zip(*tuples, strict=True))


if __name__ == "__main__":
    child(*sys.argv[1:])
