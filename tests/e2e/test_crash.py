"""kill -9 of every process of the hub amid uploads and jobs: every acknowledged change is still there."""

import hashlib
import os
import random
import threading
from collections import Counter

import pytest
import requests

from mft_common.events import FileStored, TransferEnded
from tests.e2e.clients import Diplomat, HttpMft, IbmMq
from tests.servers.hub import ManyProcesses, OneMachine
from tests.servers.outboxes import ROWS, read_events
from tests.servers.processes import wait_until

UPLOADERS = 4
FINAL = {"successful", "failed", "partiallySuccessful", "cancelled", "malformed", "notAuthorized", "deleted"}


class Load:
    """Uploads and jobs that go on until the hub is killed; records which were tried and which were acknowledged."""

    def __init__(self, seed, jobs):
        self.jobs = jobs
        self.random = random.Random(seed)
        self.tried = {}
        self.promised = {}
        self.scheduled = []
        self.lock = threading.Lock()

    def run(self, url, round_number, seconds):
        """Load the hub at `url`; return the threads, which end when the hub is gone.

        Return `seconds` after as many uploads and jobs were acknowledged as rounds have begun: on a busy machine, that
        takes longer than the load of a round.
        """
        over = threading.Event()
        threads = [
            threading.Thread(target=self._upload, args=(url, round_number, number, over, self.random.random()))
            for number in range(UPLOADERS)
        ]
        threads.append(threading.Thread(target=self._schedule, args=(url, over)))
        for thread in threads:
            thread.start()
        wait_until(lambda: min(len(self.promised), len(self.scheduled)) > round_number + 1, within=60, what="answers")
        over.wait(seconds)
        return over, threads

    def _upload(self, url, round_number, number, over, seed):
        mine = random.Random(seed)
        try:
            client = HttpMft(url)
            for count in range(10_000):
                if over.is_set():
                    return
                content = mine.randbytes(mine.choice((0, 100, 4096, 300_000, 3_000_000)))
                name = f"r{round_number}-{number}-{count % 7}.bin"
                digest = hashlib.sha256(content).hexdigest()
                with self.lock:
                    self.tried.setdefault(name, set()).add(digest)
                if client.put(f"inbox/{name}", content).status_code == 201:
                    with self.lock:
                        self.promised[name] = digest
                        # An acknowledged upload has replaced all earlier ones.
                        self.tried[name] = {digest}
        except (requests.RequestException, AssertionError):
            return

    def _schedule(self, url, over):
        try:
            client = Diplomat(url)
            while not over.is_set():
                for name in self.jobs:
                    variables = {"filename": "301", "ext": "txt"} if name == "outboundSample" else {}
                    made = client.run(name, **variables)
                    with self.lock:
                        self.scheduled.append(made)
                over.wait(0.2)
        except (requests.RequestException, AssertionError):
            return


def check_files(hub, load):
    """Every acknowledged file is whole, and no visible file is incomplete."""
    client = HttpMft(hub.url)
    visible = {}
    for name in client.names("inbox"):
        visible[name] = hashlib.sha256(client.get(f"inbox/{name}").content).hexdigest()
    for name, digest in load.promised.items():
        # A later upload of that name that was not answered may have been committed all the same, as a whole.
        assert visible.get(name) in {digest} | load.tried[name], f"{name} was promised and is not there"
    for name, digest in visible.items():
        assert digest in load.tried[name], f"{name} is half of something"
    for name in list(load.promised):
        load.promised[name] = visible[name]
        load.tried[name] = {visible[name]}


def check_jobs(hub, load):
    """Every job that ran at the crash is in one final state, and its delivered files are whole."""
    unfinished = "SELECT sequence FROM jobs WHERE status != 'Complete'"
    wait_until(lambda: not hub.rows("diplomat", unfinished), within=hub.recovers_within, every=0.05, what="every end")
    known = {row[0] for row in hub.rows("diplomat", "SELECT scheduled_at FROM jobs WHERE completion IS NOT NULL")}
    assert set(load.scheduled) <= known
    partner = hub.data / "demo/partner"
    assert [path.name for path in partner.iterdir() if path.name.startswith(".")] == []
    for path in partner.iterdir():
        assert path.read_bytes() == (hub.data / "demo/outbox" / path.name).read_bytes()


def events_of(hub, service):
    return read_events(f"{service}-svc", hub.rows(service, ROWS))


def check_events(hub, _load):
    """Every committed change has its event, every event of a transfer its one effect."""
    known = {envelope.subject for envelope in events_of(hub, "filestore") if envelope.type == FileStored.TYPE}
    stored = {f"/inbox/{row[0]}" for row in hub.rows("filestore", "SELECT name FROM files")}
    assert stored <= known

    def settled():
        sent = set()
        for service in ("filestore", "diplomat"):
            sent |= {each.id for each in events_of(hub, service) if each.type.startswith("transfer.")}
        return sent == {row[0] for row in hub.rows("mqmft", "SELECT id FROM inbox")}

    wait_until(settled, within=20, every=0.05, what="every event has had its effect")
    mq = IbmMq(hub.url)

    def states():
        return {one["status"]["state"] for one in mq.transfers(limit=10_000)}

    wait_until(lambda: states() <= FINAL, within=hub.recovers_within, every=0.2, what="the end of every transfer")
    for service in ("filestore", "diplomat"):
        ends = Counter(each.subject for each in events_of(hub, service) if each.type == TransferEnded.TYPE)
        assert [subject for subject, count in ends.items() if count > 1] == []


def check_leftovers(hub, _load):
    """No staging file of a dead upload is left."""
    staging = hub.data / "state/filestore-svc/staging"
    assert list(staging.iterdir()) == []


def run_rounds(hub, load, rounds, *checks):
    """Load, kill -9 everything at a random moment, restart and check, `rounds` times."""
    hub.start()
    for round_number in range(rounds):
        over, threads = load.run(hub.url, round_number, load.random.uniform(0.3, 1.5))
        hub.kill()
        over.set()
        for thread in threads:
            thread.join()
        hub.start()
        for check in checks:
            check(hub, load)
    assert len(load.promised) > rounds
    assert len(load.scheduled) > rounds
    assert hub.stop() == 0


def seeded(jobs):
    """Return a load whose seed is printed, so that a failure can be repeated."""
    seed = int(os.environ.get("MFT_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"MFT_TEST_SEED={seed}")
    return Load(seed, jobs)


@pytest.mark.parametrize("rounds", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_nothing_is_lost_or_half_done(tmp_path, rounds):
    """On one machine, again and again: every promise holds after kill -9 of everything."""
    hub = OneMachine(tmp_path)
    load = seeded(["outboundSample", "slowSample", "notFoundSample"])
    try:
        run_rounds(hub, load, rounds, check_files, check_jobs, check_leftovers, check_events)
    finally:
        hub.kill()


@pytest.mark.slow
def test_nothing_is_lost_or_half_done_by_many_processes(tmp_path, postgresql_url, amqp_url):
    """With PostgreSQL and RabbitMQ, which outlive it: every promise holds once leases have run out."""
    hub = ManyProcesses(tmp_path, database_url=postgresql_url, amqp_url=amqp_url)
    load = seeded(["outboundSample", "notFoundSample"])
    try:
        run_rounds(hub, load, 4, check_files, check_jobs, check_events)
    finally:
        hub.kill()
