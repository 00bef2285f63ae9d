"""Move files over s3: and http: endpoints in a process of its own, in turns with another program, and compare.

The start of a process is not counted on either side: our children come from a warm fork server. Digests are taken by
the engine, in another thread, and are not measured here. Our side asks about each file once more after it was moved.
Small files go one at a time over one endpoint, and four at a time over four.
"""

import os
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


def move(where, way, files, sink):
    """Move some files over one endpoint."""
    with opened(*where) as far:
        for file in files:
            if way == "up":
                put(far, file.name, file)
            else:
                get(far, file.name, sink / file.name if where[0] == "s3" else Path(os.devnull))


def child(*arguments):
    """Be our side: move every file of a folder up, or every file of that name down; print the seconds."""
    *where, way, folder, at_once = arguments
    files, sink = sorted(Path(folder).iterdir()), Path(f"{folder}-down")
    with opened(*where):
        # The library of the protocol is loaded, as it is in a warm fork server.
        pass
    began = time.perf_counter()
    with ThreadPoolExecutor(int(at_once)) as pool:
        shares = [files[number :: int(at_once)] for number in range(int(at_once))]
        for moved in [pool.submit(move, where, way, share, sink) for share in shares]:
            moved.result()
    print(time.perf_counter() - began)


def seconds(call, *arguments):
    """Return how long a call takes."""
    began = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began


def ours(peer, way, folder, at_once):
    """Run our side and return its own seconds."""
    command = [sys.executable, __file__, *peer.ours, way, str(folder), str(at_once)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


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
    compare(name, peer, ROUNDS, small, amount=FILES, unit="files/s", threads=(1, 4))


def compare(name, peer, rounds, folder, *, amount, unit, threads):
    """Take turns, and print the medians of both."""
    Path(f"{folder}-down").mkdir(exist_ok=True)
    for way in ("up", "down"):
        peers, mine = [], {at_once: [] for at_once in threads}
        for _ in range(rounds):
            peers.append(seconds(peer.run, way, folder) - seconds(peer.start))
            for at_once, times in mine.items():
                times.append(ours(peer, way, folder, at_once))
        other = measure.median(peers)
        for at_once, times in mine.items():
            ratio = other / measure.median(times)
            print(
                f"{'met' if ratio >= 0.9 else 'missed':6} {name:5} {way:4} {at_once} at a time "
                f"{amount / measure.median(times):7.1f} {unit}, peer {amount / other:7.1f}: {ratio:.2f} (>= 0.9)",
                flush=True,
            )


if __name__ == "__main__":
    child(*sys.argv[1:])
