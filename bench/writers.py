"""Measure small writes of three processes to one SQLite database, with and without turns: `python bench/writers.py`."""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import sqlalchemy as sa

import measure
from diplomat_hub import percentile
from mft_common.database import Database

SECONDS = 5
ROUNDS = 3
METADATA = sa.MetaData()
COUNTER = sa.Table("counter", METADATA, sa.Column("id", sa.Integer, primary_key=True), sa.Column("value", sa.Integer))


def opened(path):
    return Database(f"sqlite:///{path}", schema="bench", metadata=METADATA, migrations="", head="")


def write(path, turns, threads):
    """Be a process: let each thread write and pause for 10 ms, again and again; print the latencies in ms."""
    database, times, stop = opened(path), [], time.monotonic() + SECONDS
    if not turns:
        database._turns = None

    def work():
        while time.monotonic() < stop:
            began = time.perf_counter()
            with database.write() as connection:
                connection.execute(sa.update(COUNTER).values(value=COUNTER.c.value + 1))
            times.append((time.perf_counter() - began) * 1000)
            threading.Event().wait(0.01)

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    print(*times)


def one_round(turns):
    """Return the latencies of a worker with eight threads and of two web processes with one each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counter.db"
        database = opened(path)
        with database.write() as connection:
            METADATA.create_all(connection)
            connection.execute(sa.insert(COUNTER).values(id=1, value=0))
        database.close()
        command = [sys.executable, __file__, str(path), str(int(turns))]
        processes = [
            subprocess.Popen([*command, count], stdout=subprocess.PIPE, text=True) for count in ("8", "1", "1")
        ]
        return [float(one) for process in processes for one in process.communicate()[0].split()]


def main():
    if len(sys.argv) > 1:
        write(sys.argv[1], sys.argv[2] == "1", int(sys.argv[3]))
        return
    measure.head("bench/writers.py: eight threads of one process and two other processes write", "sqlalchemy")
    found = {False: [], True: []}
    for _ in range(ROUNDS):
        for turns, rounds in found.items():
            rounds.append(one_round(turns))
    middle = {}
    for turns, rounds in found.items():
        rate = measure.median([len(times) / SECONDS for times in rounds])
        last = measure.median([percentile(times, 0.99) for times in rounds])
        middle[turns] = (rate, last)
        print(f"{'turns' if turns else 'SQLite alone':14} {rate:6.0f} writes/s   p99 {last:7.1f} ms")
    verdict = measure.Verdict()
    verdict.goal("writes a second, with turns over without", middle[True][0] / middle[False][0], at_least=1)
    verdict.goal("p99, with turns over without", middle[True][1] / middle[False][1], at_most=1)
    verdict.end()


if __name__ == "__main__":
    main()
