"""Programs of the operator's with limits on time, memory and output; nothing that they start is left."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from mft_common.process import descendants
from mft_common.process.runner import Runner, child_environment
from mft_common.process.runner.scripts import Limits, run_script
from tests.servers.processes import wait_until


def run_in_child(channel, payload):
    """Run a shell script in a child, and return its end; the test's modules are imported by name."""
    channel.began()
    limits = Limits(**payload["limits"])
    command = [payload.get("program", "/bin/sh"), "-c", payload["text"]]
    environment = {"PATH": os.environ["PATH"], "FOLDER": payload["folder"]}
    end = run_script(
        command, folder=Path(payload["folder"]), environment=environment, limits=limits, interrupt=channel.interrupt
    )
    return {**vars(end), "output": end.output.decode()}


@pytest.fixture(scope="module")
def runner():
    with Runner("test", [__name__], environment=child_environment(os.environ)) as made:
        yield made


@pytest.fixture
def run(runner, tmp_path):
    """Return a function that runs a script in a child with some limits."""

    def start(text, **limits):
        payload = {"text": text, "folder": str(tmp_path), "limits": limits}
        if text.startswith("import"):
            payload["program"] = sys.executable
        handle = runner.run(f"{__name__}:run_in_child", payload, lambda _kind, _data: None)
        end = handle.wait(30)
        assert end.completed, end
        return end.result

    return start


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_ends_with_its_code_and_its_output(run, tmp_path):
    """Both streams are kept in order; folder and environment are those that were given, and no others."""
    end = run("echo one; echo two >&2; pwd; env | grep -c = ; exit 7", seconds=20)
    assert end["output"].splitlines()[:3] == ["one", "two", str(tmp_path)]
    assert (end["exit_code"], end["cut"], end["ended_for"]) == (7, False, "")


def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(run, tmp_path):
    """A child in the background, and one in a session of its own, are gone with it."""
    began = time.monotonic()
    text = "sleep 1000 & echo $! > pids; setsid sleep 1000 & echo $! >> pids; echo started; sleep 1000"
    end = run(text, seconds=0.5)
    assert time.monotonic() - began < 5
    assert (end["exit_code"], end["ended_for"], end["output"]) == (-signal.SIGKILL, "time", "started\n")
    assert not any(alive(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_what_a_program_leaves_in_the_background_does_not_outlive_it(run, tmp_path):
    """The program ends well, its background process is killed, and nobody waits for the pipe that it holds."""
    began = time.monotonic()
    end = run("(setsid sleep 1000 & echo $! > pid) ; echo done", seconds=20)
    assert time.monotonic() - began < 10
    assert (end["exit_code"], end["output"]) == (0, "done\n")
    assert not alive(int((tmp_path / "pid").read_text()))


def test_output_beyond_its_limit_is_dropped_and_the_program_goes_on(run):
    """10 MiB are written, 1,000 bytes are kept, and the program ends by itself."""
    end = run("head -c 10485760 /dev/zero | tr '\\0' x; exit 3", seconds=20, output=1000)
    assert (end["exit_code"], end["output"], end["cut"]) == (3, "x" * 1000, True)


def test_a_program_that_takes_too_much_memory_ends_by_itself(run):
    """Address space is limited for the program, not for the child that runs it."""
    hog = "import sys; held = bytearray(1 << 30); print(len(held))"
    assert run(hog, seconds=20)["exit_code"] == 0
    end = run(hog, seconds=20, memory=256 << 20)
    assert end["exit_code"] == 1
    assert "MemoryError" in end["output"]


def test_a_program_is_ended_when_its_child_is_asked_to_stop(runner, tmp_path):
    """The interrupt of the child ends the program, and the end says so."""
    begun = threading.Event()
    payload = {"text": "echo $$ > pid; sleep 1000", "folder": str(tmp_path), "limits": {}}
    handle = runner.run(f"{__name__}:run_in_child", payload, lambda _kind, _data: begun.set())
    wait_until((tmp_path / "pid").exists)
    handle.stop()
    end = handle.wait(20)
    assert end.result["ended_for"] == "stopped"


def test_what_a_program_has_orphaned_dies_with_a_child_that_is_killed(runner, tmp_path):
    """Processes that left the program's group, its session and its parent are gone when the end is reported."""
    text = "(setsid sh -c 'sleep 1000 & sleep 1000' & echo $! > orphan) ; echo $$ > pid; sleep 1000"
    payload = {"text": text, "folder": str(tmp_path), "limits": {}}
    handle = runner.run(f"{__name__}:run_in_child", payload, lambda _kind, _data: None)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    pids = [int((tmp_path / name).read_text()) for name in ("pid", "orphan")]
    pids += wait_until(lambda: len(found := descendants.children(pids[1])) == 2 and found)
    assert all(map(alive, pids))
    handle.kill()
    assert handle.wait(20).killed
    assert not any(map(alive, pids))


def test_a_signal_to_the_hubs_process_group_does_not_reach_a_program(run):
    """A program leads a process group of its own: Ctrl-C at the hub's terminal leaves its end to the worker."""
    assert run("import os; print(os.getpgid(0) == os.getpid())", seconds=20)["output"] == "True\n"


def test_a_program_dies_with_a_child_that_is_killed(runner, tmp_path):
    """The parent-death signal reaches the program itself, also where it has left the child's process group."""
    payload = {"text": "echo $$ > pid; exec setsid -w sleep 1000", "folder": str(tmp_path), "limits": {}}
    handle = runner.run(f"{__name__}:run_in_child", payload, lambda _kind, _data: None)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    handle.kill()
    assert handle.wait(20).killed
    wait_until(lambda: not alive(int((tmp_path / "pid").read_text())), within=5)
