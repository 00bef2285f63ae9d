"""The order in which a hub's processes end, and the time that each of them gets."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.processes import wait_until
from tests.servers.stopwatch import Stopwatch

# Two processes that write what happens to them: `web` takes a while to end, `worker` ends at once.
SUPERVISED = """
import errno, itertools, os, signal, sys, threading
from crossdock.supervisor import Process, Supervisor
from mft_common import logs

logs.configure("supervised", "error")

def say(text):
    os.write(1, (text + "\\n").encode())

def process(name, seconds):
    def run():
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        say(f"{name} runs")
        stop.wait()
        say(f"{name} stops")
        threading.Event().wait(seconds)
        say(f"{name} ends")
        return 0
    return run

web, grace = float(sys.argv[1]), float(sys.argv[2])
processes = [Process("web", process("web", web), essential=True, grace=grace), Process("worker", process("worker", 0))]
replaced = iter([("web",)] * sys.argv.count("replace"))
fork, forks = os.fork, itertools.count()

def fork_third_fails():
    if next(forks) == 2:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    return fork()

if "busy" in sys.argv:
    os.fork = fork_third_fails

def fails():
    say("reload fails")
    raise OSError("no space left")

supervisor = Supervisor(processes, reload=fails, maintain=lambda: next(replaced, ()), maintain_every=0.3)
sys.exit(supervisor.run(lambda: True))
"""


@pytest.fixture
def supervised(tmp_path):
    """Return a function that starts the two; it returns the process and a function that reads their lines so far."""
    started = []

    def start(*arguments):
        log = tmp_path / "said"
        with log.open("wb") as output:
            command = [sys.executable, "-c", SUPERVISED, *map(str, arguments)]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, start_new_session=True)
        started.append(process)

        def lines():
            return [line for line in log.read_text().splitlines() if line != "reload fails"]

        wait_until(lambda: {"web runs", "worker runs"} <= set(lines()), what="both processes")
        return process, lines

    yield start
    for process in started:
        process.kill()
        process.wait(60)


def test_the_worker_is_stopped_after_the_web_process_has_ended(supervised):
    """A request that the web process finishes while it drains still finds a worker."""
    process, lines = supervised(0.5, 30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert lines()[2:] == ["web stops", "web ends", "worker stops", "worker ends"]


def test_a_process_that_outlives_its_grace_is_killed_and_the_next_one_is_stopped(supervised):
    """The grace is each process's own."""
    process, lines = supervised(60, 0.3)
    since = Stopwatch()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert lines()[2:] == ["web stops", "worker stops", "worker ends"]
    assert since.seconds < 15


def test_a_replaced_process_that_still_drains_is_waited_for(supervised):
    """A process that a new configuration or certificate replaced gets its grace at the end of the hub as well."""
    process, lines = supervised(1.5, 30, "replace")
    wait_until(lambda: lines().count("web runs") == 2 and "web stops" in lines(), what="the replacement")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert lines().count("web ends") == 2
    assert lines()[-2:] == ["worker stops", "worker ends"]


def test_a_process_that_cannot_be_replaced_yet_goes_on(supervised):
    """The system refuses the first fork of a replacement; the former process serves until a later one succeeds."""
    process, lines = supervised(0, 30, "busy", "replace", "replace")
    wait_until(lambda: lines().count("web runs") == 2 and "web ends" in lines(), what="the second replacement")
    assert process.poll() is None
    assert lines().count("web stops") == 1


def test_a_process_that_cannot_be_restarted_yet_is_started_later(supervised):
    """The system refuses the first fork after the worker's end; the other process goes on meanwhile."""
    process, lines = supervised(0, 30, "busy")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    wait_until(lambda: lines().count("worker runs") == 2, what="the restarted worker")
    assert process.poll() is None
    assert "web stops" not in lines()


def test_a_reload_that_fails_ends_no_process(supervised, tmp_path):
    """An error on the way to another configuration is logged, and the hub goes on."""
    process, lines = supervised(0, 30)
    said = tmp_path / "said"
    wait_until(lambda: "reload fails" in said.read_text(), what="the first question")
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: said.read_text().count("reload fails") == 2, what="the second question")
    assert process.poll() is None
    assert lines() == ["web runs", "worker runs"] or lines() == ["worker runs", "web runs"]


# The signal comes while the last process is forked, so that it is stopped before it has run anything of its own.
STOPPED_AT_ONCE = """
import os, signal, sys, threading
from crossdock.supervisor import Process, Supervisor

def forever():
    threading.Event().wait()
    return 0

supervisor = Supervisor([Process("worker", forever, grace=30)])
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
sys.exit(supervisor.run(lambda: True))
"""


def test_a_process_that_is_stopped_right_after_its_fork_ends(tmp_path):
    """It has the supervisor's handler until it sets its own, and must not take the signal for the supervisor's."""
    for _ in range(5):
        since = Stopwatch()
        assert subprocess.run([sys.executable, "-c", STOPPED_AT_ONCE], timeout=60, check=False).returncode == 0
        assert since.seconds < 15
