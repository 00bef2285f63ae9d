"""Programs that try to break the limits they are given, each one in turn."""

import grp
import os
import pwd
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.servers.processes import is_running, wait_until
from tests.servers.script_runs import CHILD
from tests.servers.stopwatch import Stopwatch

BUSY = "import signal; signal.signal(signal.SIGXCPU, signal.{action})\nwhile True: pass"
# A program that says so and stays when it is asked to end.
STUBBORN = "trap 'echo asked' TERM; echo $$ > pid; while :; do sleep 0.05; done"


def test_a_program_of_too_many_cpu_seconds_gets_a_signal_and_is_killed_where_it_ignores_that(run_program):
    """SIGXCPU comes at the limit, SIGKILL one second of computing later."""
    assert run_program(BUSY.format(action="SIG_DFL"), seconds=20, cpu=1)["exit_code"] == -signal.SIGXCPU
    assert run_program(BUSY.format(action="SIG_IGN"), seconds=20, cpu=1)["exit_code"] == -signal.SIGKILL


def test_a_file_does_not_grow_beyond_its_limit(run_program, tmp_path):
    """A program that ignores the signal gets an error, one that does not is ended by it; the file has the limit."""
    text = "import signal; signal.signal(signal.SIGXFSZ, signal.{})\nopen('file', 'wb', 0).write(bytes({}))\nprint(1)\n"
    whole = text + "open('file', 'ab', 0).write(b'x')"
    assert run_program(text.format("SIG_IGN", 1000), seconds=20, file_size=1000)["exit_code"] == 0
    end = run_program(whole.format("SIG_IGN", 1000), seconds=20, file_size=1000)
    assert "File too large" in end["output"]
    assert run_program(whole.format("SIG_DFL", 2000), seconds=20, file_size=1000)["exit_code"] == -signal.SIGXFSZ
    assert (tmp_path / "file").stat().st_size == 1000


def test_a_program_opens_no_more_files_than_its_limit(run_program):
    """The three standard streams count."""
    text = "import os\nheld = []\ntry:\n while True: held.append(os.dup(0))\nexcept OSError: print(len(held))"
    assert run_program(text, seconds=20, open_files=64)["output"] == "61\n"


def test_no_limit_can_be_raised_by_the_program_even_as_root(run_program):
    """The capability that lets root raise limits is gone for the program and all that it starts."""
    text = (
        "import resource, os\n"
        "for name in ('CPU', 'AS', 'FSIZE', 'NOFILE', 'CORE'):\n"
        "    which = getattr(resource, 'RLIMIT_' + name)\n"
        "    soft, hard = resource.getrlimit(which)\n"
        "    try: resource.setrlimit(which, (hard + 1, hard + 1)); print(name, 'raised', flush=True)\n"
        "    except (ValueError, PermissionError): print(name, soft, flush=True)\n"
        "os.execvp('sh', ['sh', '-c', 'ulimit -Hn 1000 || ulimit -n'])"
    )
    end = run_program(text, seconds=20, cpu=5, memory=1 << 30, file_size=1 << 20, open_files=64)
    assert [line for stream, line in end["lines"] if stream == "stdout"] == [
        *("CPU 5", f"AS {1 << 30}", f"FSIZE {1 << 20}", "NOFILE 64", "CORE 0", "64"),
    ]


def test_a_program_that_is_asked_to_end_may_clean_up(run_program):
    """SIGTERM reaches the whole group: a child of the program goes on for its grace when the program itself is gone."""
    text = "(trap 'sleep 0.3; echo cleaned; exit' TERM; echo up; sleep 5 & wait) & trap - TERM; wait"
    end = run_program(text, seconds=2, grace=30)
    assert (end["output"], end["ended_for"]) == ("up\ncleaned\n", "time")


def test_a_program_that_does_not_end_when_asked_is_killed_after_its_grace(run_program, tmp_path):
    """The signal is sent once, what is written meanwhile is handed over, and then nothing helps."""
    began = time.monotonic()
    end = run_program(STUBBORN, seconds=2, grace=0.7)
    assert 2.7 <= time.monotonic() - began < 15
    assert (end["exit_code"], end["ended_for"]) == (-signal.SIGKILL, "time")
    # The shell notes on its standard error that `sleep` was ended.
    assert [text for stream, text in end["lines"] if stream == "stdout"] == ["asked"]
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_the_request_to_stop_asks_first_as_well(script_runner, tmp_path):
    """A program that handles SIGTERM ends by itself, and its end says that it was stopped."""
    heard = []
    payload = {
        "text": "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.02; done",
        "folder": str(tmp_path),
        "limits": {},
    }
    handle = script_runner.run(CHILD, payload, lambda kind, data: heard.append((kind, data)))
    wait_until(lambda: ("lines", ["up"]) in heard)
    handle.stop()
    end = handle.wait(20).result
    assert (end["exit_code"], end["ended_for"]) == (3, "stopped")
    assert [text for stream, text in end["lines"] if stream == "stdout"] == ["up", "bye"]


def test_a_program_that_writes_without_a_pause_is_ended_in_time_and_its_output_cut(run_program):
    """The clock is looked at also while the pipe is never empty."""
    since = Stopwatch()
    end = run_program("yes", seconds=1, output=1000, grace=0.5)
    assert since.seconds < 15
    assert (end["ended_for"], end["cut"]) == ("time", True)
    assert end["lines"] == [*[["stdout", "y"]] * 500, ["", "The output is cut after 1000 bytes."]]


def test_output_beyond_its_limit_does_not_stop_the_program(run_program):
    """10 MiB are written, 1,000 bytes are kept, and the program ends by itself."""
    end = run_program("head -c 10485760 /dev/zero | tr '\\0' x; exit 3", seconds=20, output=1000)
    assert (end["exit_code"], end["cut"]) == (3, True)
    assert end["lines"] == [["stdout", "x" * 1000], ["", "The output is cut after 1000 bytes."]]


def test_lines_are_handed_over_while_the_program_runs(run_program, tmp_path):
    """The program waits for an answer to its first line."""

    def answer(_kind, data):
        if data == ["question"]:
            (tmp_path / "answer").touch()

    end = run_program(
        "echo question; until test -e answer; do sleep 0.02; done; echo end", seconds=20, on_message=answer
    )
    assert (end["output"], end["exit_code"]) == ("question\nend\n", 0)


def test_a_program_inherits_no_descriptor_no_input_and_no_mask(run_program, tmp_path):
    """Descriptors of the child that are marked as inheritable, and beyond the program's own limit, are closed."""
    text = (
        "import os, sys\nos.close(os.open('made', os.O_CREAT | os.O_WRONLY, 0o777))\n"
        "print(sorted(os.listdir('/proc/self/fd'))[:4], repr(sys.stdin.read()))\n"
        "print([line for line in open('/proc/self/status') if line.startswith(('NoNewPrivs', 'SigIgn', 'SigBlk'))])\n"
    )
    end = run_program(text, seconds=20, open_files=64, descriptors=[40, 300])
    listing, status = end["output"].splitlines()
    assert listing == "['0', '1', '2', '3'] ''"
    assert "NoNewPrivs:\\t1" in status
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("stopped", [False, True], ids=["ends", "is ended"])
def test_a_hundred_processes_that_ignore_the_signal_are_gone_with_their_program(script_runner, tmp_path, stopped):
    """Some are in its group, some in sessions of their own, and none is left however the program ends."""
    text = (
        "trap '' TERM; for n in $(seq 50); do sleep 1000 & echo $! >> pids; "
        "setsid sh -c 'echo $$ >> pids; exec sleep 1000' & done; until test $(wc -l < pids) = 100; do :; done; echo all"
    )
    payload = {"text": text + "; exec sleep 1000" * stopped, "folder": str(tmp_path), "limits": {"grace": 0.2}}
    begun = threading.Event()
    handle = script_runner.run(CHILD, payload, lambda _kind, data: data == ["all"] and begun.set())
    assert begun.wait(20)
    if stopped:
        handle.stop()
    assert handle.wait(20).result["exit_code"] == (-signal.SIGKILL if stopped else 0)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 100
    assert not any(map(is_running, pids))


def test_another_user_needs_root_and_gets_no_way_back(run_program, tmp_path):
    """With root's rights the program has the user's number and groups, and a setuid program gives it no more."""
    tmp_path.chmod(0o755)
    privileged = tmp_path / "privileged"
    privileged.write_bytes(Path("/usr/bin/id").read_bytes())
    privileged.chmod(0o4755)
    end = run_program("id -un; id -Gn; ./privileged -un", seconds=20, user="nobody")
    if os.geteuid():
        assert end == {"refused": "/bin/sh cannot be started as the user nobody: Operation not permitted"}
    else:
        groups = " ".join(grp.getgrgid(gid).gr_name for gid in os.getgrouplist("nobody", pwd.getpwnam("nobody").pw_gid))
        assert end["output"].splitlines() == ["nobody", groups, "nobody"]


def test_a_program_that_cannot_be_started_says_why(script_runner, tmp_path):
    """A missing command, an unknown user and an argument that is too long are refusals, not ends."""
    payload = {"text": "", "folder": str(tmp_path), "limits": {}}

    def refusal(**changed):
        return script_runner.run(CHILD, {**payload, **changed}, lambda _kind, _data: None).wait(20).result["refused"]

    assert refusal(program=["no-such-command"]) == "no-such-command cannot be started: No such file or directory"
    assert refusal(user="no-such-user") == "there is no user no-such-user"
    assert refusal(text="x" * (1 << 18)) == "/bin/sh cannot be started: Argument list too long"
