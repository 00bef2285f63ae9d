"""Measure transfers over SSH beside OpenSSH's `sftp`; run by endpoints.py, or by itself: `endpoints_sftp.py [MIB]`."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import measure
from single_files import fetch, make_large, medians, ratio, send, timed_with_cpu

sys.path.insert(0, str(Path(__file__).parent.parent))

from mft_common.endpoints.names import Patterns
from mft_common.endpoints.sftp import open_sftp
from mft_common.endpoints.targets import Target
from mft_common.process import memory
from tests.servers.openssh import OpenSsh

MIB = 1024
ROUNDS = 3
SMALL = 300
SMALL_SIZE = 10_000
GOAL_UP, GOAL_DOWN, GOAL_SMALL = 0.9, 1.0, 1.0


def run(folder, *, large=False, mib=MIB):
    """Print the figures of one large file and of many small ones, both ways."""
    del large
    # As the processes that move files do.
    memory.keep_freed_blocks()
    for name in ("far", "from", "to"):
        (folder / name).mkdir()
    with OpenSsh(folder / "sshd") as server:
        peer = Peer(server, folder)
        target = Target(
            scheme="sftp",
            host="127.0.0.1",
            port=server.port,
            user=server.user,
            folder=str(folder / "far"),
            key=server.key,
            host_key=server.host_keys["ed25519"],
        )
        one_large_file(folder, peer, target, mib)
        many_small_files(folder, peer, target)


class Peer:
    """OpenSSH's `sftp` in batch mode."""

    def __init__(self, server, folder):
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_keys['ed25519']}\n")
        options = [f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes", "HostKeyAlgorithms=ssh-ed25519"]
        self._command = ["sftp", "-q", "-F", "none", "-b", "-", "-P", str(server.port), "-i", str(server.key_path)]
        for option in options:
            self._command += ["-o", option]
        self._to = f"{server.user}@127.0.0.1:{folder / 'far'}"

    def __call__(self, command, *options):
        subprocess.run(
            [*self._command, *options, self._to], input=command.encode(), check=True, stdout=subprocess.DEVNULL
        )


def one_large_file(folder, peer, target, mib):
    source = folder / "from/large"
    make_large(source, mib)

    def ours_up(verify):
        with open_sftp(target) as endpoint:
            send(endpoint, source, verify)

    def ours_down():
        with open_sftp(target) as endpoint:
            fetch(endpoint, endpoint.stat("large"), folder / "to")

    gcm = ("-c", "aes128-gcm@openssh.com")
    works = {
        "up": {
            "sftp": lambda: peer(f"put {source} large"),
            "sftp, same cipher": lambda: peer(f"put {source} large", *gcm),
            "ours": lambda: ours_up("size"),
            "ours, read back": lambda: ours_up("sha256"),
        },
        "down": {
            "sftp": lambda: peer(f"get large {folder}/to/large"),
            "sftp, same cipher": lambda: peer(f"get large {folder}/to/large", *gcm),
            "ours": ours_down,
        },
    }
    figures = {way: {name: [] for name in named} for way, named in works.items()}
    for _ in range(ROUNDS):
        for way, named in works.items():
            for name, work in named.items():
                figures[way][name].append(timed_with_cpu(work))
    for way, goal in (("up", GOAL_UP), ("down", GOAL_DOWN)):
        found = figures[way]
        print(f"{mib} MiB {way:5} {', '.join(f'{name} {medians(pairs)}' for name, pairs in found.items())}")
        same = ratio(found["sftp, same cipher"], found["ours"])
        print(f"ratio     {ratio(found['sftp'], found['ours']):.2f} (goal {goal}); with the same cipher {same:.2f}")
        print(f"rounds    {'; '.join(f'{name} {show(pairs)}' for name, pairs in found.items())}")


def show(pairs):
    return " ".join(f"{seconds:.2f}" for seconds, _ in pairs)


def many_small_files(folder, peer, target):
    small = folder / "small"
    small.mkdir()
    for number in range(SMALL):
        (small / f"{number:03d}.small").write_bytes(os.urandom(SMALL_SIZE))

    def ours_up():
        with open_sftp(target) as endpoint, ThreadPoolExecutor(endpoint.features.at_once) as pool:
            list(pool.map(lambda path: send(endpoint, path), sorted(small.iterdir())))

    def ours_down():
        with open_sftp(target) as endpoint, ThreadPoolExecutor(endpoint.features.at_once) as pool:
            entries = endpoint.list(Patterns(["*.small"]))
            list(pool.map(lambda entry: fetch(endpoint, entry, folder / "to"), entries))

    works = {
        "up": {
            "sftp": lambda: peer(f"put {small}/*"),
            "sftp -f (fsync)": lambda: peer(f"put {small}/*", "-f"),
            "ours": ours_up,
        },
        "down": {"sftp": lambda: peer(f"get *.small {folder}/to/"), "ours": ours_down},
    }
    for way, named in works.items():
        figures = {name: [] for name in named}
        for _ in range(ROUNDS):
            for name, work in named.items():
                if way == "up":
                    for path in (folder / "far").glob("*.small"):
                        path.unlink()
                figures[name].append(timed_with_cpu(work))
        text = ", ".join(f"{name} {medians(found)} [{show(found)}]" for name, found in figures.items())
        beside = f"{ratio(figures['sftp'], figures['ours']):.2f} (goal {GOAL_SMALL})"
        if way == "up":
            beside += f"; beside `sftp -f` {ratio(figures['sftp -f (fsync)'], figures['ours']):.2f}"
        print(f"{SMALL} x {SMALL_SIZE} bytes {way}: {text}: {beside}")


if __name__ == "__main__":
    measure.head("files over SSH")
    with tempfile.TemporaryDirectory(prefix="endpoints-") as made:
        run(Path(made), mib=int(sys.argv[1]) if len(sys.argv) > 1 else MIB)
