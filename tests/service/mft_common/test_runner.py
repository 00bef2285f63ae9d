"""Children of the fork server: messages, ends, limits, and that nothing of them outlives their worker."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from mft_common.process import file_locks
from mft_common.process.runner import MessageTooLarge, PoolFull, Runner, child_environment
from tests.servers.processes import wait_until

WORK = "tests.servers.pieces_of_work"


@pytest.fixture
def runner():
    """Return a runner whose fork server has the work imported."""
    with Runner("test", [WORK], environment=child_environment(os.environ)) as made:
        yield made


class Heard(list):
    """Collects what a child sends; `answers` are given to its questions."""

    def __init__(self, **answers):
        super().__init__()
        self.answers = answers

    def __call__(self, kind, data):
        self.append((kind, data))
        answer = self.answers.get(kind)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def first(self, kind):
        """Wait for the first message of a kind, and return its data."""
        return wait_until(lambda: [data for each, data in self if each == kind], what=kind)[0]


def alive(pid):
    """Return whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_messages_arrive_in_order_answers_go_back_and_the_result_comes_last(runner):
    """A child reports, asks and returns plain data; names of any bytes pass in both directions."""
    heard = Heard(question={"yes": [1, None]})
    payload = {"name": os.fsdecode(b"caf\xe9"), "n": 1.5}
    end = runner.run(f"{WORK}:echo", payload, heard).wait(20)
    assert [kind for kind, _ in heard] == ["began", "progress", "question"]
    assert heard[2] == ("question", payload)
    assert end.completed
    assert end.result == {"payload": payload, "answer": {"yes": [1, None]}}
    assert runner.running == 0


def test_a_child_that_is_asked_to_stop_ends_by_itself(runner):
    """`stop` sets the interrupt of the child, and its work returns."""
    heard = Heard()
    handle = runner.run(f"{WORK}:until_stopped", None, heard)
    heard.first("began")
    assert handle.wait(0) is None
    handle.stop()
    end = handle.wait(20)
    assert (end.completed, end.result, end.killed) == (True, "stopped", False)


@pytest.mark.parametrize(
    ("way", "code", "reason"),
    [
        ("abort", -signal.SIGABRT, "was killed by SIGABRT"),
        ("exit", 3, "ended with exit code 3"),
        ("raise", 1, "ended with exit code 1 after ValueError"),
    ],
)
def test_a_child_that_dies_by_itself_gives_its_signal_or_exit_code_e10(runner, way, code, reason):
    """The end names signal, exit code or the type of the error, never its text; what came before is handled."""
    heard = Heard()
    end = runner.run(f"{WORK}:die", way, heard).wait(20)
    assert heard == [("before", None)]
    assert (end.completed, end.exit_code, end.reason) == (False, code, reason)
    assert runner.run(f"{WORK}:first_byte", 1, Heard()).wait(20).completed, "the runner goes on"


@pytest.mark.parametrize("how", ["fifo", "lock", "peer", "signals"])
def test_a_child_that_hangs_is_killed_with_its_programs_within_two_seconds_e8(runner, tmp_path, how):
    """A FIFO without a writer, a held lock, a silent peer, blocked signals: the kill ends all of them."""
    path = tmp_path / "file"
    if how == "fifo":
        os.mkfifo(path)
    with socket.create_server(("127.0.0.1", 0)) as silent, (tmp_path / "lock").open("w") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        place = tmp_path / "lock" if how == "lock" else path
        heard = Heard()
        payload = {"how": how, "path": str(place), "port": silent.getsockname()[1]}
        handle = runner.run(f"{WORK}:hang", payload, heard)
        pids = heard.first("began")
        handle.stop()
        began = time.monotonic()
        handle.kill()
        end = handle.wait(20)
        assert time.monotonic() - began < 2
    assert (end.exit_code, end.killed) == (-signal.SIGKILL, True)
    wait_until(lambda: not alive(pids["pid"]) and not alive(pids["program"]), within=2)


def test_a_worker_that_refuses_a_message_kills_the_child(runner):
    """An error in the worker's handling of a message ends the child, and the end holds the error."""
    lost = RuntimeError("the lease is lost")
    heard = Heard(began=lost)
    end = runner.run(f"{WORK}:until_stopped", None, heard).wait(20)
    assert end.refusal is lost
    assert end.exit_code == -signal.SIGKILL
    assert not end.killed


@pytest.mark.parametrize("answer", [True, False, None])
def test_a_child_commits_only_with_its_workers_consent_e13(runner, tmp_path, answer):
    """`may_commit` lets the work go on for the answer True alone."""
    target = tmp_path / "file"
    end = runner.run(f"{WORK}:commit", str(target), Heard(may_commit=answer)).wait(20)
    assert target.exists() is (answer is True)
    assert end.error == ("" if answer else "CommitRefused")


def test_a_pool_has_a_limit():
    """Beyond the limit nothing is started, and a place becomes free with an end."""
    with Runner("test", [WORK], limit=2) as runner:
        handles = [runner.run(f"{WORK}:until_stopped", None, Heard()) for _ in range(2)]
        with pytest.raises(PoolFull):
            runner.run(f"{WORK}:first_byte", 1, Heard())
        handles[0].stop()
        handles[0].wait(20)
        assert runner.run(f"{WORK}:first_byte", 1, Heard()).wait(20).completed


@pytest.mark.parametrize("payload", [{"x": b"bytes"}, "x" * (5 << 20), float("nan")])
def test_a_payload_is_plain_data_of_a_limited_size(runner, payload):
    """Bytes, numbers that JSON lacks and 5 MiB of text are refused, and leave no child behind."""
    with pytest.raises((TypeError, ValueError, MessageTooLarge)):
        runner.run(f"{WORK}:first_byte", payload, Heard())
    wait_until(lambda: runner.running == 0)


def test_no_secret_is_in_arguments_or_environment(monkeypatch):
    """Neither the worker's variables nor the payload can be read from the process list."""
    monkeypatch.setenv("PARTNER_PASSWORD", "s3cr3t-of-the-worker")
    with Runner("test", [WORK], environment=child_environment(os.environ)) as runner:
        heard = Heard()
        handle = runner.run(f"{WORK}:until_stopped", {"password": "s3cr3t-of-the-payload"}, heard)
        child = Path(f"/proc/{heard.first('began')['pid']}")
        server = Path(f"/proc/{child.joinpath('stat').read_text().rpartition(')')[2].split()[1]}")
        for process in (child, server):
            for page in ("cmdline", "environ"):
                assert b"s3cr3t" not in process.joinpath(page).read_bytes()
        handle.stop()
        assert handle.wait(20).completed


def test_a_fork_server_that_was_killed_takes_its_children_along_and_is_started_anew(runner):
    """The children of a dead server die too; the next piece of work gets a new server, also from a short thread."""
    heard = Heard()
    handle = runner.run(f"{WORK}:until_stopped", None, heard)
    pid = heard.first("began")["pid"]
    os.kill(runner._server.pid, signal.SIGKILL)
    assert handle.wait(20).exit_code is None
    wait_until(lambda: not alive(pid), within=2)
    later = Heard()
    started = []
    thread = threading.Thread(target=lambda: started.append(runner.run(f"{WORK}:until_stopped", None, later)))
    thread.start()
    thread.join()
    later.first("began")
    started[0].stop()
    assert started[0].wait(20).completed


WORKER = textwrap.dedent("""
    import os, signal, sys
    from mft_common.process.runner import Runner
    runner = Runner("test", ["tests.servers.pieces_of_work"]).start()
    def heard(kind, data):
        print(data["pid"], data["program"], flush=True)
    for how in ("signals", "fifo", "signals"):
        runner.run("tests.servers.pieces_of_work:hang", {"how": how, "path": sys.argv[1]}, heard)
    print(runner._server.pid, os.getpid(), flush=True)
    os.nice(10)
    signal.pause()
""")


@pytest.mark.parametrize("victim", ["worker", "group"])
def test_nothing_outlives_a_worker_that_is_killed_e9(tmp_path, victim):
    """After kill -9 of the worker, or of its process group, the server and all children are gone."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    arguments = [sys.executable, "-c", WORKER, str(fifo)]
    worker = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=Path.cwd())
    with worker.stdout as lines:
        found = [[int(text) for text in lines.readline().split()] for _ in range(4)]
        ours = next(pair for pair in found if worker.pid in pair)
        children = [pair for pair in found if pair is not ours]
        assert all(alive(pid) for pair in found for pid in pair)
        if victim == "group":
            os.killpg(worker.pid, signal.SIGKILL)
        else:
            worker.kill()
        worker.wait()
        wait_until(lambda: not any(alive(pid) for pid in (ours[0], *(child for child, _ in children))), within=2)
    for _, program in children:
        if alive(program):
            os.kill(program, signal.SIGKILL)


def test_a_lock_that_children_hold_lasts_until_the_last_of_them_has_ended(tmp_path):
    """The descriptors `held` are open in a child, so a lock of the worker's outlives the worker's own descriptor."""
    path = tmp_path / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    assert file_locks.acquire(descriptor)
    with Runner("test", [WORK], held=[descriptor]) as runner, path.open("rb+") as asking:
        heard = Heard()
        handle = runner.run(f"{WORK}:until_stopped", None, heard)
        heard.first("began")
        os.close(descriptor)
        assert file_locks.is_held(asking.fileno())
        handle.stop()
        assert handle.wait(20).completed
    with path.open("rb+") as asking:
        wait_until(lambda: not file_locks.is_held(asking.fileno()), within=2)


def test_children_keep_the_priority_of_the_time_before_the_worker_lowered_its_own(runner):
    """A server that was started first gives its children the normal priority."""
    thread_nice = []

    def lowered():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        heard = Heard()
        assert runner.run(f"{WORK}:echo", None, heard).wait(20).completed
        thread_nice.append(heard.first("began")["nice"])

    thread = threading.Thread(target=lowered)
    thread.start()
    thread.join()
    assert thread_nice == [os.nice(0)]
