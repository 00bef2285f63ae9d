"""Measure jobs of the Diplomat service in a whole hub, beside `cp -r` and the bare engine in the same run.

Run: python bench/jobs.py [first] [small] [many] [sftp], all of them without one. `--seconds` is for `small`.
"""

import argparse
import ctypes
import os
import select
import statistics
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import measure
from diplomat_hub import Hub, changes, percentile, text, transaction
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.sftp import open_sftp
from mft_common.endpoints.targets import Target, parse_url
from mft_common.transfer import Mover
from single_files import make_large
from tests.servers.openssh import OpenSsh

SMALL = 1024
TRANSACTIONS = 16
STARTS = 100
MANY = 10_000
SFTP_MIB = 256
ROUNDS = 3
TOKEN = "00000000000000BE"
# IN_MODIFY, IN_CREATE and IN_MOVED_TO of inotify: the first byte, or the whole file where it appears at once.
_EVENTS = 0x2 | 0x100 | 0x80


class Watched:
    """Hears of the first change in a folder."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _EVENTS) >= 0

    def wait(self):
        """Wait for the next change."""
        assert select.select([self._descriptor], [], [], 30)[0], "nothing was written"

    def forget(self):
        """Take no notice of what has happened so far."""
        while select.select([self._descriptor], [], [], 0)[0]:
            os.read(self._descriptor, 65536)

    def close(self):
        """Stop."""
        os.close(self._descriptor)


def first_byte(folder, verdict, _options):
    """Measure from a runNow to the first byte at the destination, on an idle hub."""
    with Hub(folder, [transaction("one", "file:from", "file:to")]) as hub:
        laid = lay_out(hub.data / "from", 1)
        (hub.data / "to").mkdir()
        client, watched = hub.client(), Watched(hub.data / "to")
        sent, answered = [], []
        used = hub.processor()
        for number in range(STARTS + 10):
            watched.forget()
            began = time.perf_counter()
            client.run("one")
            ok = time.perf_counter()
            watched.wait()
            if number >= 10:
                sent.append((time.perf_counter() - began) * 1000)
                answered.append((time.perf_counter() - ok) * 1000)
            hub.wait_idle()
            threading.Event().wait(0.013 * (number % 4))
        used = (hub.processor() - used) / (STARTS + 10) * 1000
        watched.close()
        running = [row[0] for row in hub.rows("SELECT began_at - scheduled_at FROM jobs WHERE sequence > 10")]
        whole = [row[0] for row in hub.rows("SELECT ended_at - scheduled_at FROM jobs WHERE sequence > 10")]
    assert laid
    print(f"runNow to the first byte       p50 {percentile(sent, 0.5):6.1f} ms   p95 {percentile(sent, 0.95):6.1f} ms")
    print(f"from the 200 of runNow         p50 {percentile(answered, 0.5):6.1f} ms")
    for name, times in (("Running", running), ("Complete", whole)):
        middle, slow = percentile(times, 0.5), percentile(times, 0.99)
        print(f"{f'scheduled to {name}':30} p50 {middle:6.1f} ms   p99 {slow:6.1f} ms")
    print(f"processor time of a job, with its polls  {used:6.1f} ms")
    verdict.goal("runNow to first byte, p50 in ms", percentile(sent, 0.5), at_most=100)
    verdict.goal("scheduled to Running, p50 in ms", percentile(running, 0.5), at_most=150)
    verdict.goal("scheduled to Running, p99 in ms", percentile(running, 0.99), at_most=500)


def lay_out(folder, count):
    """Make small files, and return their names."""
    folder.mkdir(parents=True)
    names = [f"{number:05d}.bin" for number in range(count)]
    for name in names:
        (folder / name).write_bytes(os.urandom(SMALL))
    return names


def disk(folder, seconds=3.0):
    """Return how many 1 KiB files a second eight threads write, fsync, rename and fsync the folder of: the control."""
    stop, counts = time.perf_counter() + seconds, []

    def write(place):
        target = folder / f"disk{place}"
        target.mkdir()
        inside, count = os.open(target, os.O_RDONLY), 0
        while time.perf_counter() < stop:
            with (target / "part").open("wb") as file:
                file.write(b"x" * SMALL)
                file.flush()
                os.fsync(file.fileno())
            (target / "part").rename(target / "whole")
            os.fsync(inside)
            count += 1
        os.close(inside)
        counts.append(count)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    return sum(counts) / seconds


def small_jobs(folder, verdict, options):
    """Measure how many jobs of one small file a second run, sustained, from sixteen transactions."""
    names = [f"small{number:02d}" for number in range(TRANSACTIONS)]
    made = [transaction(name, f"file:from/{name}", f"file:to/{name}") for name in names]
    with Hub(folder, made, at_once=options.at_once) as hub:
        for name in names:
            lay_out(hub.data / "from" / name, 1)
        client = hub.client()
        control = disk(folder)
        feeding = threading.Event()
        feeder = threading.Thread(target=feed, args=(hub.client(), names, feeding))
        feeder.start()
        threading.Event().wait(5)
        used, began, since = hub.processor(), time.time(), text(client.call("transactionStatuses"), b"monitorTime")
        threading.Event().wait(options.seconds)
        used, ended, until = (
            hub.processor() - used,
            time.time(),
            text(client.call("transactionStatuses"), b"monitorTime"),
        )
        feeding.set()
        feeder.join()
        hub.wait_idle()
        over = f"FROM jobs WHERE ended_at > {since} AND ended_at <= {until}"
        done = hub.rows(f"SELECT count(*) {over} AND completion = 'Successful'")[0][0]
        other = hub.rows("SELECT count(*) FROM jobs WHERE completion != 'Successful'")[0][0]
    rate = done / (ended - began)
    print(
        f"{done} jobs in {ended - began:.0f} s, {options.at_once} at once; processor {used / done * 1000:.1f} ms a job,"
    )
    print(f"{used / (ended - began):.2f} of the machine's cores; other ends {other}; load {os.getloadavg()[0]:.1f}")
    print(f"control: {control:.0f} files/s written, fsynced and renamed by eight threads")
    verdict.goal("small jobs a second", rate, at_least=60)
    verdict.goal("small jobs that did not end well", other, at_most=0)


def feed(client, names, stop):
    """Keep three jobs of each transaction in the queue or at work; what a poll shows as over is replaced."""
    open_jobs = dict.fromkeys(names, 0)
    begun = dict.fromkeys(names, 0)
    seen = dict.fromkeys(names, 0)
    since = text(client.call("transactionStatuses"), b"monitorTime")
    while not stop.wait(0.02):
        body = client.call("transactionStatuses", ("since", since))
        since = text(body, b"monitorTime")
        for name, sequence, status in changes(body):
            if status == "Complete" and sequence > seen[name]:
                seen[name], open_jobs[name] = sequence, 0
        for name in names:
            # Only the end of the newest is seen: then the queue is empty, and three more go in.
            while open_jobs[name] < 1 + 2 * (begun[name] > 0):
                client.run(name)
                open_jobs[name] += 1
                begun[name] += 1


def many_files(folder, verdict, _options):
    """Measure one job of ten thousand small files, beside `cp -r` with and without a sync."""
    with Hub(folder, [transaction("many", "file:from", "file:to")]) as hub:
        lay_out(hub.data / "from", MANY)
        os.sync()
        plain = timed(["cp", "-r", hub.data / "from", folder / "copy"])
        synced = timed(["sh", "-c", f"cp -r {hub.data / 'from'} {folder / 'synced'} && sync -f {folder / 'synced'}"])
        os.sync()
        client, used, began = hub.client(), hub.processor(), time.perf_counter()
        client.run("many")
        threading.Event().wait(1)
        hub.wait_idle(within=900)
        seconds, used = time.perf_counter() - began, hub.processor() - used
        successful = hub.rows("SELECT successful FROM jobs")[0][0]
        there = len(list((hub.data / "to").iterdir()))
    print(
        f"one job of {MANY} files {seconds:.1f} s ({used:.1f} s CPU), {MANY / seconds:.0f} files/s; every file fsynced,"
    )
    print(f"hashed and recorded; cp -r {plain:.2f} s, with a sync {synced:.2f} s: {synced / seconds:.3f} of it")
    verdict.goal("files of the job delivered", min(successful, there), at_least=MANY)
    verdict.goal("files a second in one job", MANY / seconds, at_least=100)


def timed(command):
    """Return the seconds that a program takes."""
    began = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True)
    return time.perf_counter() - began


def sftp_job(folder, verdict, _options):
    """Measure a job to and from an SSH server, beside the engine alone with the same endpoints."""
    (folder / "far").mkdir(parents=True)
    (folder / "data/near").mkdir(parents=True)
    (folder / "data/back").mkdir()
    make_large(folder / "data/near/large", SFTP_MIB)
    with OpenSsh(folder / "sshd") as server:
        (folder / "key").write_text(server.key)
        (folder / "key").chmod(0o600)
        key = server.host_keys["ed25519"]
        url = f"sftp://{server.user}@127.0.0.1:{server.port}{folder / 'far'}"
        far = {"url": url, "key": {"file": str(folder / "key")}, "host_key": key}
        made = [
            transaction("up", "file:near", "endpoint:far"),
            transaction("down", "endpoint:far", "file:back"),
        ]
        target = Target(
            scheme="sftp", host="127.0.0.1", port=server.port, user=server.user, folder=str(folder / "far"),
            key=server.key, host_key=key,
        )  # fmt: skip
        with Hub(folder, made, endpoints={"far": far}) as hub:
            client = hub.client()
            for way in ("up", "down"):
                rounds = [(bare(folder, target, way), job(hub, client, way)) for _ in range(ROUNDS)]
                engine, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
                print(f"{SFTP_MIB} MiB {way}: engine {engine:.2f} s, job {ours:.2f} s; rounds {rounds}")
                ratio = statistics.median(one / other for one, other in rounds)
                verdict.goal(f"SFTP {way}, engine's time over the job's", ratio, at_least=0.9)


def bare(folder, target, way):
    """Return the seconds of the engine alone for the same move."""
    os.sync()
    near = parse_url("file:near" if way == "up" else "file:back")
    began = time.perf_counter()
    with open_sftp(target) as far, open_file(near, LocalFolders(folder / "data")) as here:
        source, destination = (here, far) if way == "up" else (far, here)
        (entry,) = source.list(Patterns(["large"]))
        Mover(token=TOKEN).move(source, entry, destination, "large")
    return time.perf_counter() - began


def job(hub, client, way):
    """Return the seconds of a job, from its runNow to its end."""
    os.sync()
    began = client.run(way)
    hub.wait_idle()
    ((ended, completion),) = hub.rows("SELECT ended_at, completion FROM jobs ORDER BY sequence DESC LIMIT 1")
    assert completion == "Successful", hub.rows("SELECT text FROM job_log ORDER BY id DESC LIMIT 3")
    return (ended - began) / 1000


PARTS = {"first": first_byte, "small": small_jobs, "many": many_files, "sftp": sftp_job}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--at-once", type=int, default=8)
    options = parser.parse_args()
    measure.head("bench/jobs.py: jobs of the Diplomat service", "sqlalchemy")
    verdict = measure.Verdict()
    for name in options.parts or PARTS:
        print(f"\n## {name} (load {os.getloadavg()[0]:.1f})", flush=True)
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as made:
            PARTS[name](Path(made) / "hub", verdict, options)
    verdict.end()


if __name__ == "__main__":
    main()
