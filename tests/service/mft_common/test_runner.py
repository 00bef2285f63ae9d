"""Children of the fork server: messages, ends, limits, and that nothing of them outlives their worker."""

import contextlib
import fcntl
import os
import queue
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from mft_common.process import file_locks
from mft_common.process.runner import (
    MessageTooLarge,
    PoolFull,
    Runner,
    RunnerUnavailable,
    TimedHandle,
    child_environment,
)
from tests.servers.processes import is_running, wait_until
from tests.servers.stopwatch import Stopwatch

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


def parent_of(pid):
    """Return the parent of a process: of a child the fork server, of that its guardian."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


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
        since = Stopwatch()
        handle.kill()
        end = handle.wait(20)
        assert since.seconds < 2
    assert (end.exit_code, end.killed) == (-signal.SIGKILL, True)
    assert not any(is_running(pid) for pid in (pids["pid"], *pids["programs"])), (
        "also what left the group and its parent"
    )


def test_a_child_with_a_longest_time_is_killed_when_it_is_over(runner):
    """A child that ends before is not overdue; one that was killed is polled until its process has ended."""
    quick = TimedHandle(runner.run(f"{WORK}:first_byte", 1, Heard()), 20)
    assert wait_until(quick.poll, what="the end of the quick child").completed
    assert not quick.overdue
    slow = TimedHandle(runner.run(f"{WORK}:hang", {"how": "signals"}, Heard()), 0.2)
    assert slow.poll() is None
    assert not slow.overdue
    assert wait_until(slow.poll, what="the end of the slow child").reason == "was killed by SIGKILL"
    assert slow.overdue


def test_a_worker_that_refuses_a_message_kills_the_child(runner):
    """An error in the worker's handling of a message ends the child, and the end holds the error."""
    lost = RuntimeError("the lease is lost")
    heard = Heard(began=lost)
    end = runner.run(f"{WORK}:until_stopped", None, heard).wait(20)
    assert end.refusal is lost
    assert end.exit_code == -signal.SIGKILL
    assert not end.killed


def test_work_is_not_complete_whose_last_report_its_worker_could_not_store(runner):
    """The child may have ended by itself before its worker handles what it told last."""
    lost = RuntimeError("the disk is full")
    child = queue.SimpleQueue()

    def told(_kind, _data):
        pid = child.get(timeout=20).pid
        wait_until(lambda: not is_running(pid), what="the end of the child")
        raise lost

    handle = runner.run(f"{WORK}:first_byte", 1, told)
    child.put(handle)
    end = handle.wait(30)
    assert (end.exit_code, end.refusal, end.completed) == (0, lost, False)
    assert end.reason == "ended before its worker could store what it reported (RuntimeError)"


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


def test_a_child_for_which_the_worker_has_no_thread_ends_and_gives_its_place_back():
    """It would wait for answers for ever, and the pool would be full for good."""
    with Runner("test", [WORK], limit=1) as runner:
        # More than the system can map: the start of a thread fails as where it has reached its limit of them.
        before = threading.stack_size(1 << 45)
        try:
            with pytest.raises(RunnerUnavailable):
                runner.run(f"{WORK}:first_byte", 1, Heard())
        finally:
            threading.stack_size(before)
        assert runner.running == 0
        assert runner.run(f"{WORK}:first_byte", 1, Heard()).wait(20).completed


@pytest.mark.parametrize("payload", [{"x": b"bytes"}, "x" * (9 << 20), float("nan")])
def test_a_payload_is_plain_data_of_a_limited_size(runner, payload):
    """Bytes, numbers that JSON lacks and 9 MiB of text are refused, and leave no child behind."""
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
        server = parent_of(child.name)
        for process in (child, Path(f"/proc/{server}"), Path(f"/proc/{parent_of(server)}")):
            for page in ("cmdline", "environ"):
                assert b"s3cr3t" not in process.joinpath(page).read_bytes()
        handle.stop()
        assert handle.wait(20).completed


def test_a_fork_server_that_was_killed_takes_its_children_along_and_is_started_anew(runner):
    """The children of a dead server die too; the next piece of work gets a new server, also from a short thread."""
    heard = Heard()
    handle = runner.run(f"{WORK}:until_stopped", None, heard)
    pid = heard.first("began")["pid"]
    os.kill(parent_of(pid), signal.SIGKILL)
    assert handle.wait(20).exit_code is None
    wait_until(lambda: not is_running(pid), within=2)
    later = Heard()
    started = []
    thread = threading.Thread(target=lambda: started.append(runner.run(f"{WORK}:until_stopped", None, later)))
    thread.start()
    thread.join()
    later.first("began")
    started[0].stop()
    assert started[0].wait(20).completed


@pytest.mark.parametrize("stuck", ["before the fork", "before the end"])
def test_a_fork_server_that_is_stuck_is_replaced(stuck):
    """A server that neither forks nor reports within the limit is ended with all its children; the next one works."""
    with Runner("test", [WORK], answer_within=3.0) as runner:
        heard = Heard()
        first = runner.run(f"{WORK}:hang", {"how": "signals"}, heard)
        pids = heard.first("began")
        os.kill(parent_of(pids["pid"]), signal.SIGSTOP)
        if stuck == "before the end":
            first.kill()
            end = first.wait(60)
        else:
            end = runner.run(f"{WORK}:first_byte", 1, Heard()).wait(60)
        assert end.exit_code is None
        assert first.wait(60).exit_code is None
        assert not any(is_running(pid) for pid in (pids["pid"], *pids["programs"]))
        assert runner.run(f"{WORK}:first_byte", 1, Heard()).wait(20).completed


def test_the_text_of_an_error_is_not_logged(capfd):
    """The log names the type of what the work raised and the place, not the text, which may hold a secret."""
    with Runner("test", [WORK]) as runner:
        assert runner.run(f"{WORK}:die", "s3cr3t-of-the-payload", Heard()).wait(20).error == "ValueError"
    written = "".join(capfd.readouterr())
    assert "child.failed" in written
    assert "ValueError" in written
    assert f"{WORK}:die:" in written
    assert "s3cr3t" not in written


WORKER = textwrap.dedent("""
    import os, signal, sys
    from mft_common.process.runner import Runner
    runner = Runner("test", ["tests.servers.pieces_of_work"]).start()
    def heard(kind, data):
        os.write(1, (" ".join(map(str, [data["pid"], *data["programs"]])) + "\\n").encode())
    for how in ("signals", "fifo", "signals"):
        runner.run("tests.servers.pieces_of_work:hang", {"how": how, "path": sys.argv[1]}, heard)
    signal.pause()
""")


@pytest.fixture
def worker(tmp_path):
    """Start a worker with three children that hang; return its process, and the ids of the children's processes."""
    os.mkfifo(tmp_path / "fifo")
    arguments = [sys.executable, "-c", WORKER, str(tmp_path / "fifo")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=Path.cwd())
    with process.stdout as lines:
        found = [[int(text) for text in lines.readline().split()] for _ in range(3)]
        yield process, found
    process.kill()
    process.wait()


def test_children_stay_in_the_hubs_process_group_e9(worker):
    """The fork server and its children are in the worker's group; the guardian and a child's script are not."""
    process, found = worker
    server = parent_of(found[0][0])
    assert {os.getpgid(pid) for pid in (server, *(child for child, *_ in found))} == {process.pid}
    assert os.getpgid(parent_of(server)) != process.pid
    assert parent_of(parent_of(server)) == process.pid


@pytest.mark.parametrize("victim", ["worker", "group", "guardian", "server", "children", "worker and server"])
def test_nothing_outlives_its_worker_server_guardian_or_child_e9(worker, victim):
    """After kill -9 of any of them, all that descended from it is gone, also programs that left group and parent."""
    process, found = worker
    server = parent_of(found[0][0])
    guardian = parent_of(server)
    everything = [pid for pids in found for pid in pids]
    assert all(is_running(pid) for pid in (server, guardian, *everything))
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        victims = {"guardian": [guardian], "server": [server], "children": [child for child, *_ in found]}
        victims |= {"worker": [process.pid], "worker and server": [process.pid, server]}
        for pid in victims[victim]:
            with contextlib.suppress(ProcessLookupError):
                # The end of the worker may have ended its server already.
                os.kill(pid, signal.SIGKILL)
    if victim != "children":
        everything += [server, guardian]
    wait_until(lambda: not any(is_running(pid) for pid in everything), within=2)


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
