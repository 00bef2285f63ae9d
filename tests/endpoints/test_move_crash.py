"""kill -9 of the child, of the worker and of everything, at random moments of moves with every step."""

import contextlib
import os
import random
import signal
import time
from collections import Counter

import pytest

from tests.endpoints.killed_moves import MEBI, NAME, Move, Partners, Worker, wait_for_processes
from tests.servers.secret_search import found_in_processes

SEED = 20261129
STEPS = (
    (),
    ("encrypt",),
    ("text",),
    ("decrypt",),
    ("zip",),
    ("text", "zip", "encrypt"),
    ("unzip",),
    ("bandwidth",),
)
DESTINATIONS = ("s3", "filestore-tcp", "sftp", "ftps", "file", "sftp-plain", "ftp", "filestore-unix", "ftps-mlsd")
SOURCES = (
    "ftp",
    "s3",
    "http",
    "file",
    "filestore-tcp",
    "sftp",
    "filestore-unix",
    "ftps",
    "sftp-plain",
    "https",
    "ftps-mlsd",
)
# The messages of a move after which it is killed, and the longest pause between the two.
PHASES = (
    ("child", 0.4),
    ("begins", 0.2),
    ("progress", 0.2),
    ("checkpoint", 0.1),
    ("may_commit", 0.02),
    ("delivered", 0.01),
)
WORKER_AND_FORK_SERVER = 2
ROUNDS = [pytest.param(range(0, 102, 17), id="6"), pytest.param(range(100), id="100", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def partners():
    made = Partners()
    yield made
    made.close()


@pytest.fixture
def worker(tmp_path):
    made = Worker(tmp_path)
    made.start()
    yield made
    made.close()


def size_of(destination, steps):
    """Return a size at which a bucket needs several parts: they are larger where the size is not known before."""
    if destination != "s3":
        return 6 * MEBI
    if "text" in steps:
        # It is twice as large in the other encoding.
        return 24 * MEBI
    return 20 * MEBI if steps in ((), ("bandwidth",)) else 40 * MEBI


def made_move(number, chance, far_servers, partners, private):
    """Return the move of a round."""
    steps = STEPS[number % len(STEPS)]
    source, destination = SOURCES[number % len(SOURCES)], DESTINATIONS[number % len(DESTINATIONS)]
    name = f"k{time.monotonic_ns()}"
    return Move(
        partners,
        source=far_servers(source)(f"{name}s"),
        destination=far_servers(destination)(f"{name}d"),
        steps=steps,
        size=size_of(destination, steps),
        former=chance.randbytes(100_000) if chance.random() < 0.5 else None,
        resumes=chance.random() < 0.5,
        private=private,
    )


def killed(worker, move, chance, how):
    """Run a move and kill at a random moment; return what was reached, and what was visible right after."""
    phase, longest = chance.choice(PHASES)
    delay = chance.choice((0.0, 1.0)) * chance.uniform(0.0, longest)
    worker.order(move.order())
    said = worker.until("child")
    child = said[-1]["pid"]
    if phase != "child":
        said += worker.until(phase, chance.randrange(1, 5) if phase == "progress" else 1)
    moment = time.monotonic() + delay
    assert found_in_processes(worker.processes()) == []
    while time.monotonic() < moment:
        pass
    if how == "child":
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        if said[-1]["what"] != "ended":
            said += worker.until("ended")
        end = said[-1]
        assert end["completed"] or end["reason"] == "was killed by SIGKILL", end
        assert not end.get("problem"), end
        wait_for_processes(worker, WORKER_AND_FORK_SERVER)
        return phase, move.check_visible()
    (worker.kill if how == "worker" else worker.kill_all)()
    wait_for_processes(worker, 0)
    visible = move.check_visible()
    said = worker.start()
    assert not any(one.get("problem") for one in said), said
    return phase, visible


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_move_that_is_killed_shows_the_former_file_or_the_new_one_and_leaves_nothing(
    far_servers, partners, worker, tmp_path, rounds
):
    """After each kill and recovery nothing unfinished is left, no file is lost, and the move can be made again."""
    counts = Counter()
    for number in rounds:
        chance = random.Random(f"{SEED} {number}")
        how = chance.choice(("child", "worker", "all"))
        private = tmp_path / "state" / "private"
        move = made_move(number, chance, far_servers, partners, private)
        what = f"seed {SEED}, round {number}: {move.source.kind} to {move.destination.kind}, {move.steps}, {how}"
        try:
            phase, visible = killed(worker, move, chance, how)
            seen = move.check_recovered()
            counts[f"killed {how}"] += 1
            counts[f"after {phase}"] += 1
            counts[f"visible after the kill: {visible}"] += 1
            counts[f"after recovery: {seen}"] += 1
            if move.source.read_outside(NAME) is not None:
                worker.order({**move.order(), "resumes": False})
                end = worker.until("ended")[-1]
                assert end["completed"], end
                counts["moved again"] += 1
            move.check_done()
            wait_for_processes(worker, WORKER_AND_FORK_SERVER)
        except Exception as error:
            raise AssertionError(f"{what}: {error}\n{worker.log.read_text()[-3000:]}") from error
    print(dict(counts))
    assert counts["moved again"] > 0
