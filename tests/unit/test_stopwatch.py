"""The clock with which tests hold the product to a number of seconds."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.servers.processes import wait_until
from tests.servers.stopwatch import Stopwatch

PROGRAM = """
import sys
from tests.servers.stopwatch import Stopwatch
watch = Stopwatch()
print("started", flush=True)
sys.stdin.readline()
print(watch.seconds)
"""


def children():
    """Return the process ids of this process's children."""
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()


def test_time_passes_by_the_stopwatch_until_nothing_refers_to_it():
    """A wait for a state that never comes shows, and the process ends with the test."""
    before = children()

    def watched():
        watch, began = Stopwatch(), time.monotonic()
        wait_until(lambda: watch.seconds > 0.5)
        return time.monotonic() - began

    assert watched() > 0.4
    assert children() == before


def test_the_time_for_which_the_product_holds_the_interpreter_counts():
    """A thread would not see how long a call of C or a loop of Python takes."""
    watch = Stopwatch()
    wait_until(lambda: watch.seconds)
    began, counted, text = time.thread_time(), watch.seconds, b"a" * 10_000_000
    while time.thread_time() - began < 1.0:
        text.count(b"ab")
    assert watch.seconds - counted > 0.3


def test_the_time_for_which_a_machine_stands_still_does_not_count():
    """A process that is stopped sees no more of the time than one whose machine got no processor."""
    root = Path(__file__).parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(root)}
    program = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(program, cwd=root, env=environment, start_new_session=True, **pipes) as process:
        assert process.stdout.readline() == "started\n"
        os.killpg(process.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        wait_until(lambda: time.monotonic() - stopped > 1.5, what="the time for which it is stopped")
        os.killpg(process.pid, signal.SIGCONT)
        assert float(process.communicate("\n", timeout=60)[0]) < 1.0
