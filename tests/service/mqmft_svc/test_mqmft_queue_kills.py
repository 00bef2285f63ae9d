"""kill -9 of a child, of a worker and of everything, at seeded moments of transfers into queues and out of them.

A worker that is frozen until its lease has lapsed is the last case.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from mft_common.config import Reader
from mft_common.process import descendants
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import WORKERS
from tests.servers.processes import end, is_running, wait_until
from tests.servers.queues import Queue
from tests.service.mqmft_svc.managed_hub import row, submit
from tests.service.mqmft_svc.mqmft_hub import Hub

SEED = 20261129
ROOT = Path(__file__).parents[3]
AGENTS = {
    "QUAY": {"qmgr": "QM1", "root": "file:quay"},
    "BANK": {"qmgr": "QM1", "root": "file:yard", "queues": {"env": "BROKER"}},
}
LINES = {"d_type": "queue", "d_delimiterType": "binary", "d_delimiter": "x0A", "s_disposition": "delete"}
MESSAGES = {"s_type": "queue", "s_delimiter": "x0A"}
# What a file has reached when the kill is made ready, and the longest pause after that.
PHASES = (("waiting", 0.8), ("moving", 0.4), ("proven", 0.03), ("proven", 0.0), ("delivered", 0.01), ("over", 0.0))


class Worker:
    """A worker in a process of its own, which is started again after it was killed."""

    def __init__(self, order, folder):
        self._order = order
        self._folder = folder
        self._process = None

    def start(self):
        """Start it where it does not run, and wait until it takes transfers."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.managed_worker_program", json.dumps(self._order)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        line = self._process.stdout.readline()
        while line and line != b"ready\n":
            line = self._process.stdout.readline()
        assert line == b"ready\n"

    def kill(self, what, chance):
        """Kill a child, the worker, or all processes; return whether there was one."""
        if what == "child":
            found = self._children()
            if not found:
                return False
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(found), signal.SIGKILL)
            return True
        everything = descendants.with_descendants([self._process.pid])
        for pid in everything if what == "everything" else [self._process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, everything)), within=20)
        return True

    def freeze(self):
        """Stop the worker, and not its processes, until `thaw`."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self):
        """Let the worker go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def _children(self):
        """Return the children that carry transfers out: those of the fork server, which its guardian has started."""
        found = [self._process.pid]
        for _ in range(3):
            found = [child for parent in found for child in descendants.children(parent)]
        return found

    def close(self):
        """End it and its processes."""
        if self._process is not None:
            end(self._process)
            self._process.stdin.close()
            self._process.stdout.close()


@pytest.fixture
def queues(amqp_url):
    """The queue that files go into, and the one that files are made of."""
    made = Queue(amqp_url, "IN"), Queue(amqp_url, "OUT")
    yield made
    for one in made:
        one.close()


@pytest.fixture
def hub(tmp_path, amqp_url):
    """The web process of the hub."""
    for folder in ("quay", "yard"):
        (tmp_path / folder).mkdir()
    config = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": AGENTS}}
    made = Hub(tmp_path, config=config, reader=Reader(tmp_path, {"BROKER": amqp_url}, data=tmp_path))
    yield made
    made.service.close()


@pytest.fixture
def worker(tmp_path, amqp_url, hub):
    """The worker of the hub."""
    config = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": AGENTS}}
    database = f"sqlite:///{tmp_path}/mqmft.db"
    order = {"folder": str(tmp_path), "database": database, "config": config, "secrets": {"BROKER": amqp_url}}
    made = Worker(order, tmp_path)
    yield made
    made.close()


def the_file(hub, id_):
    """Return the only file of a transfer, None before it was found."""
    with hub.service.database.read() as connection:
        found = store.files_of(connection, id_)
    return found[0] if found else None


def has_reached(hub, id_, phase):
    """Return whether a transfer is so far, or over."""
    file = the_file(hub, id_)
    if row(hub, id_).status in ("over", "leaving") or (file is not None and file.over):
        return True
    reached = ["waiting"] if file is not None else []
    if reached and (file.state == "moving" or file.delivered):
        reached.append("moving")
    if reached and (file.checkpoint or file.delivered):
        reached.append("proven")
    if reached and file.delivered:
        reached.append("delivered")
    return phase in reached


def any_alive(hub):
    """Return whether the lease of a worker lasts."""
    with hub.service.database.read() as connection:
        return bool(WORKERS.find_alive(connection))


def are_over(hub, *ids):
    """Return whether transfers are over."""
    return {row(hub, id_).status for id_ in ids} <= {"over", "leaving"}


def one_round(hub, worker, queues, folder, number):
    """Let two transfers run, kill something meanwhile, and check what is where afterwards; return what happened."""
    chance = random.Random(f"{SEED} {number}")
    into, out_of = queues
    lines = [f"{number}.{place}.".encode() + b"x" * chance.randrange(200) for place in range(chance.randrange(1, 3000))]
    messages = [
        f"m{number}.{place}.".encode() + b"y" * chance.randrange(200) for place in range(chance.randrange(1, 3000))
    ]
    (folder / "quay" / f"f{number}").write_bytes(b"".join(line + b"\n" for line in lines))
    out_of.put_many(messages)
    worker.start()
    put = submit(hub, (f"f{number}", "IN", LINES), destination="BANK")
    take = submit(hub, ("OUT", f"g{number}", MESSAGES), source="BANK", destination="QUAY")
    phase, longest = chance.choice(PHASES)
    watched, what = chance.choice((put, take)), chance.choice(("child", "worker", "everything"))
    wait_until(lambda: has_reached(hub, watched, phase), within=60, every=0.001)
    until = time.monotonic() + chance.uniform(0.0, longest)
    while time.monotonic() < until:
        pass
    killed = worker.kill(what, chance)
    worker.start()
    wait_until(lambda: are_over(hub, put, take), within=120)
    taken = the_file(hub, take)
    assert (taken.state, taken.description) == ("successful", "")
    assert (folder / "quay" / f"g{number}").read_bytes() == b"".join(body + b"\n" for body in messages)
    assert out_of.bodies() == []
    sent, bodies = the_file(hub, put), into.bodies()
    # A quorum queue may have the first messages alone of a transaction whose commit was cut off: the last is not there.
    assert bodies == lines[: len(bodies)]
    kept = (folder / "quay" / f"f{number}").exists()
    if sent.state == "failed":
        assert "not sent twice" in sent.description
        assert kept
    else:
        assert (sent.state, bodies == lines, kept) == ("successful", True, False)
    retries = [row(hub, id_).retries for id_ in (put, take)]
    return what if killed else "nothing", phase, sent.state, max(retries)


@pytest.mark.parametrize("rounds", [pytest.param(3, id="3"), pytest.param(50, id="50", marks=pytest.mark.slow)])
def test_225_229_after_kill_9_no_message_is_lost_and_none_is_twice_in_a_file(hub, worker, queues, tmp_path, rounds):
    """Items 225, 228 and 229: each transfer ends; messages are in one place, a file once in its queue or not at all."""
    seen = Counter()
    for number in range(rounds):
        try:
            seen.update(map(str, one_round(hub, worker, queues, tmp_path, number)))
        except BaseException as error:
            error.add_note(f"seed {SEED}, round {number}")
            raise
    print(dict(seen))


@pytest.mark.slow
def test_225_a_worker_that_was_frozen_until_its_lease_lapsed_takes_transfers_again(hub, worker, queues, tmp_path):
    """A worker that was frozen until its lease had lapsed begins anew, and carries out what was asked for meanwhile."""
    into, out_of = queues
    (tmp_path / "quay" / "f").write_bytes(b"one\ntwo\n")
    out_of.put(b"three")
    worker.start()
    worker.freeze()
    put = submit(hub, ("f", "IN", LINES), destination="BANK")
    take = submit(hub, ("OUT", "g", MESSAGES), source="BANK", destination="QUAY")
    wait_until(lambda: not any_alive(hub), within=60)
    worker.thaw()
    wait_until(lambda: are_over(hub, put, take), within=60)
    assert [the_file(hub, id_).state for id_ in (put, take)] == ["successful", "successful"]
    assert into.bodies() == [b"one", b"two"]
    assert (tmp_path / "quay" / "g").read_bytes() == b"three\n"
