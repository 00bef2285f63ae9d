"""Measure how soon a piece of work begins in a child after its row is committed, and how many fit in a second.

Run: .venv/bin/python -m bench.runner
"""

import functools
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import sqlalchemy as sa

from bench import measure
from mft_common.database import Database
from mft_common.process import descendants
from mft_common.process.runner import Runner, child_environment

WORK = "tests.servers.pieces_of_work"
ENGINE = ("mft_common.transfer", "asyncssh", "boto3", "requests")
STARTS = 200
EMPTY = 500
POLL_S = 0.02
AT_ONCE = 8


def queue(folder):
    """Return a database with one table of work, in which a row is committed as a service does it."""
    metadata = sa.MetaData()
    work = sa.Table("work", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("taken", sa.Boolean))
    database = Database(f"sqlite:///{folder}/work.db", schema="bench", metadata=metadata, migrations="", head="")
    with database.write() as connection:
        metadata.create_all(connection)
    return database, work


def first_bytes(runner, folder):
    """Return the times in ms from a commit to the first message of the child that a polling worker starts for it."""
    database, work = queue(folder)
    stop, heard, times = threading.Event(), threading.Event(), []

    def first(_kind, _data):
        heard.set()

    def worker():
        while not stop.wait(POLL_S):
            found = sa.select(work.c.id).where(sa.not_(work.c.taken)).limit(1)
            with database.read() as connection:
                row = connection.execute(found).first()
            if row is None:
                continue
            with database.write() as connection:
                connection.execute(sa.update(work).where(work.c.id == row.id).values(taken=True))
            runner.run(f"{WORK}:first_byte", {"id": row.id}, first)

    thread = threading.Thread(target=worker)
    thread.start()
    for number in range(STARTS):
        heard.clear()
        with database.write() as connection:
            connection.execute(sa.insert(work).values(id=number, taken=False))
        began = time.perf_counter()
        heard.wait()
        times.append((time.perf_counter() - began) * 1000)
        threading.Event().wait(0.013 * (number % 4))
    stop.set()
    thread.join()
    database.close()
    return sorted(times)


def starts(runner):
    """Return the times in ms from `run` to the first message, one child after another."""
    times = []
    for _ in range(STARTS):
        heard = threading.Event()
        began = time.perf_counter()
        handle = runner.run(f"{WORK}:first_byte", None, lambda _kind, _data, heard=heard: heard.set())
        heard.wait()
        times.append((time.perf_counter() - began) * 1000)
        handle.wait()
    return sorted(times)


def empty(runner):
    """Return how many empty pieces of work a second run to their ends, eight at once."""
    began = time.perf_counter()
    free = threading.Semaphore(AT_ONCE)
    threads = []

    def wait(handle):
        assert handle.wait(60).completed
        free.release()

    for _ in range(EMPTY):
        free.acquire()
        handle = runner.run(f"{WORK}:first_byte", None, lambda _kind, _data: None)
        thread = threading.Thread(target=wait, args=(handle,))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return EMPTY / (time.perf_counter() - began)


def processor_time():
    """Return the processor time in ms of an empty piece of work, of worker, fork server, guardian and child together.

    Unlike the others, this figure does not depend on what else the machine does.
    """

    def used(count):
        began = _used()
        with Runner("bench", [WORK, *ENGINE], environment=child_environment(os.environ)) as runner:
            for _ in range(count):
                runner.run(f"{WORK}:first_byte", None, lambda _kind, _data: None).wait()
        return _used() - began

    start = used(1)
    return (used(STARTS + 1) - start) / STARTS * 1000


def _used():
    """Return the processor time in seconds of this process and of all its descendants that have ended."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in found)


def reused():
    """Return the times in ms of a message to a child that exists already, and back: the least that reuse would cost."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_answer, args=(theirs,), daemon=True)
    child.start()
    times = []
    for _ in range(STARTS):
        began = time.perf_counter()
        ours.send({"target": "x"})
        ours.recv()
        times.append((time.perf_counter() - began) * 1000)
    child.kill()
    child.join()
    return sorted(times)


def _answer(connection):
    while True:
        connection.send(connection.recv())


def standard():
    """Return the times in ms of the standard library's fork server, from `start` to the first message."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*ENGINE])
    times = []
    for number in range(60):
        ours, theirs = context.Pipe()
        began = time.perf_counter()
        child = context.Process(target=functools.partial(_send, theirs))
        child.start()
        ours.recv()
        if number > 9:
            times.append((time.perf_counter() - began) * 1000)
        child.join()
    return sorted(times)


def _send(connection):
    connection.send(1)


def show(name, times):
    """Print median and 95th percentile."""
    p95 = times[int(len(times) * 0.95)]
    print(f"{name:58} p50 {statistics.median(times):7.2f} ms   p95 {p95:7.2f} ms", flush=True)


def main():
    measure.head("bench/runner.py: children of the fork server")
    with tempfile.TemporaryDirectory() as folder:
        for name, modules in (("bare", ()), ("with the engine and its libraries", ENGINE)):
            with Runner("bench", [WORK, *modules], environment=child_environment(os.environ)) as runner:
                runner.run(f"{WORK}:first_byte", None, lambda _kind, _data: None).wait()
                guardian = runner._server.guardian
                (server,) = descendants.children(guardian)
                own = [measure.resident(pid) for pid in (server, guardian)]
                print(f"# {name}: the server has {own[0]:.0f} MB of its own, its guardian {own[1]:.0f} MB")
                place = Path(folder) / name.replace(" ", "-")
                place.mkdir()
                committed = first_bytes(runner, place)
                show("first message after the row is committed", committed)
                show("first message after run()", starts(runner))
                print(f"{'empty pieces of work a second, 8 at once':58} {empty(runner):7.0f} /s", flush=True)
    print(f"{'processor time of an empty piece of work':58} {processor_time():11.2f} ms", flush=True)
    show("a message to a child that runs already, and back", reused())
    show("the standard library's fork server, first message", standard())
    if statistics.median(committed) >= 30:
        sys.exit("goal missed: the first message comes later than 30 ms after the commit")


if __name__ == "__main__":
    main()
