"""The clock with which tests hold the product to a number of seconds."""

import os
import signal
import subprocess
import sys
import threading
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


def test_time_passes_by_the_stopwatch_until_nothing_refers_to_it():
    """A wait for a state that never comes shows, and the thread ends with the test."""
    threads = threading.active_count()

    def watched():
        watch, began = Stopwatch(), time.monotonic()
        wait_until(lambda: watch.seconds > 0.5)
        return time.monotonic() - began

    assert watched() > 0.4
    wait_until(lambda: threading.active_count() == threads)


def test_the_time_for_which_a_machine_stands_still_does_not_count():
    """A process that is stopped sees no more of the time than one whose machine got no processor."""
    root = Path(__file__).parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=root, env=environment, **pipes) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        wait_until(lambda: time.monotonic() - stopped > 1.5, what="the time for which it is stopped")
        process.send_signal(signal.SIGCONT)
        assert float(process.communicate("\n", timeout=60)[0]) < 1.0
