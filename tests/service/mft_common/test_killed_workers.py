"""kill -9 of children, fork servers, guardians, workers and their group at seeded moments: nothing is left behind."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from mft_common.process import descendants
from tests.servers.processes import wait_until

SEED = 20261129
WORKER = textwrap.dedent("""
    import itertools, os, sys, threading
    from mft_common.process.runner import Runner
    runner = Runner("test", ["tests.servers.pieces_of_work"], level="critical").start()
    def work():
        for number in itertools.count():
            end = runner.run("tests.servers.pieces_of_work:busy", number % 20, lambda kind, data: None).wait()
            os.write(1, b"completed\\n" if end.completed else b"lost\\n")
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
""")
VICTIMS = ["child"] * 5 + ["server"] * 2 + ["guardian"] + ["worker"] * 2 + ["group"]


class Worker:
    """A worker that runs pieces of work without end, in a folder that marks all its processes."""

    def __init__(self, folder):
        self._folder = folder
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER], cwd=folder, env=environment, stdout=subprocess.PIPE, start_new_session=True
        )
        self.completed = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self._process.stdout as lines:
            for line in lines:
                self.completed += line == b"completed\n"

    def processes(self):
        """Return all processes whose current folder is the worker's."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cwd").readlink() == self._folder:
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def go_on(self):
        """Wait until every thread of the worker has begun and completed another piece of work."""
        before = self.completed
        wait_until(lambda: self.completed >= before + 4 or self._process.poll() is not None)
        assert self._process.poll() is None

    def kill(self, victim, chance):
        """Kill a process of the worker, and return what has to end with it."""
        place = {"child": 3, "server": 2, "guardian": 1}.get(victim, 0)
        found, parent = [self._process.pid], 0
        for _ in range(place):
            parent = found[0]
            found = wait_until(lambda: descendants.children(parent))  # noqa: B023 -- called before it changes
        pid = chance.choice(found)
        ending = descendants.with_descendants([pid])
        if victim == "server":
            # The guardian ends with the server, and the worker starts both anew.
            ending.append(parent)
        # A child may have ended by itself meanwhile.
        with contextlib.suppress(ProcessLookupError):
            if victim == "group":
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)
        return ending

    def wait(self):
        """Collect the end of the worker."""
        self._process.wait()
        self._reader.join()


def running(pids, worker):
    """Return those of some processes that still run; a number may belong to another program by now."""
    return set(pids) & set(worker.processes())


def kill_at_random(folder, rounds):
    chance = random.Random(SEED)
    worker = Worker(folder)
    for _ in range(rounds):
        worker.go_on()
        threading.Event().wait(chance.uniform(0.0, 0.1))
        victim = chance.choice(VICTIMS)
        ending = worker.kill(victim, chance)
        wait_until(lambda worker=worker, ending=ending: not running(ending, worker), within=5, what=victim)
        if victim in ("worker", "group"):
            wait_until(lambda worker=worker: not worker.processes(), within=5, what=victim)
            worker.wait()
            worker = Worker(folder)
    worker.go_on()
    worker.kill("worker", chance)
    wait_until(lambda: not worker.processes(), within=5)
    worker.wait()


def test_a_worker_survives_the_death_of_each_of_its_processes_and_leaves_none_behind(tmp_path):
    """Twelve kills at seeded moments: the worker completes further work, and nothing outlives what was killed."""
    kill_at_random(tmp_path, 12)


@pytest.mark.slow
def test_a_hundred_kills_of_a_workers_processes_leave_none_behind(tmp_path):
    """The same at 100 seeded moments."""
    kill_at_random(tmp_path, 100)
