"""Programs of the operator's: their ends and what they write; nothing that they start is left."""

import signal
import threading

from mft_common.process import descendants
from tests.servers.processes import is_running, wait_until
from tests.servers.script_runs import CHILD
from tests.servers.stopwatch import Stopwatch


def test_a_program_ends_with_its_code_and_its_output(run_program, tmp_path):
    """Each line names its stream; folder and environment are those that were given, and no others."""
    text = "import os, sys; print(os.getcwd(), *sorted({*os.environ} - {'LC_CTYPE'})); print('two', file=sys.stderr)"
    end = run_program(f"{text}; sys.exit(7)", seconds=20)
    assert sorted(end["lines"]) == [["stderr", "two"], ["stdout", f"{tmp_path} FOLDER PATH"]]
    assert (end["exit_code"], end["cut"], end["ended_for"]) == (7, False, "")


def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(run_program, tmp_path):
    """A child in the background, and one in a session of its own, are gone with it."""
    since = Stopwatch()
    text = "sleep 1000 & echo $! > pids; setsid sleep 1000 & echo $! >> pids; echo started; sleep 1000"
    end = run_program(text, seconds=2)
    assert since.seconds < 15
    assert (end["exit_code"], end["ended_for"], end["output"]) == (-signal.SIGTERM, "time", "started\n")
    assert not any(is_running(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_what_a_program_leaves_in_the_background_does_not_outlive_it(run_program, tmp_path):
    """The program ends well, its background process is killed, and nobody waits for the pipe that it holds."""
    since = Stopwatch()
    end = run_program("(setsid sleep 1000 & echo $! > pid) ; echo done", seconds=20)
    assert since.seconds < 10
    assert (end["exit_code"], end["output"]) == (0, "done\n")
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_a_program_that_takes_too_much_memory_ends_by_itself(run_program):
    """Address space is limited for the program, not for the child that runs it."""
    hog = "import sys; held = bytearray(1 << 30); print(len(held))"
    assert run_program(hog, seconds=20)["exit_code"] == 0
    end = run_program(hog, seconds=20, memory=256 << 20)
    assert end["exit_code"] == 1
    assert "MemoryError" in end["output"]


def test_a_program_is_ended_when_its_child_is_asked_to_stop(script_runner, tmp_path):
    """The interrupt of the child ends the program, and the end says so."""
    begun = threading.Event()
    payload = {"text": "echo $$ > pid; sleep 1000", "folder": str(tmp_path), "limits": {}}
    handle = script_runner.run(CHILD, payload, lambda _kind, _data: begun.set())
    wait_until((tmp_path / "pid").exists)
    handle.stop()
    end = handle.wait(20)
    assert end.result["ended_for"] == "stopped"


def test_what_a_program_has_orphaned_dies_with_a_child_that_is_killed(script_runner, tmp_path):
    """Processes that left the program's group, its session and its parent are gone when the end is reported."""
    text = "(setsid sh -c 'sleep 1000 & sleep 1000' & echo $! > orphan) ; echo $$ > pid; sleep 1000"
    payload = {"text": text, "folder": str(tmp_path), "limits": {}}
    handle = script_runner.run(CHILD, payload, lambda _kind, _data: None)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    pids = [int((tmp_path / name).read_text()) for name in ("pid", "orphan")]
    pids += wait_until(lambda: len(found := descendants.children(pids[1])) == 2 and found)
    assert all(map(is_running, pids))
    handle.kill()
    assert handle.wait(20).killed
    assert not any(map(is_running, pids))


def test_a_signal_to_the_hubs_process_group_does_not_reach_a_program(run_program):
    """A program leads a process group of its own: Ctrl-C at the hub's terminal leaves its end to the worker."""
    assert run_program("import os; print(os.getpgid(0) == os.getpid())", seconds=20)["output"] == "True\n"


def test_a_program_dies_with_a_child_that_is_killed(script_runner, tmp_path):
    """The parent-death signal reaches the program itself, also where it has left the child's process group."""
    payload = {"text": "echo $$ > pid; exec setsid -w sleep 1000", "folder": str(tmp_path), "limits": {}}
    handle = script_runner.run(CHILD, payload, lambda _kind, _data: None)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    handle.kill()
    assert handle.wait(20).killed
    wait_until(lambda: not is_running(int((tmp_path / "pid").read_text())), within=5)
