"""kill -9 of the whole hub at random moments amid jobs that run, wait, are delayed or scheduled (E9, E15, E17, E18)."""

import contextlib
import hashlib
import os
import random
import sqlite3
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
import requests
import yaml

from mft_common.events import TransferEnded
from tests.e2e.clients import Diplomat, IbmMq
from tests.e2e.test_crash import FINAL, events_of
from tests.servers.hub import OneMachine, crossdock
from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until

PASSWORD = "password-of-the-crash"
SLOW = bytes(range(256)) * 4096
NAMES = ("quick", "many", "slow", "strict", "again")
JOBS = """SELECT j.sequence, t.name, j.status, j.completion, j.scheduled_at, j.ended_at, j.updated_at, j.attempt
    FROM jobs j JOIN transactions t ON t.id = j.transaction_id ORDER BY j.sequence"""
WAITING, ACTIVE = {"Queued", "Delayed"}, {"Running", "Cancelling", "Terminating", "Aborting"}
ENDS = {
    "quick": {"Successful", "File(s) not Found", "Incomplete"},
    "many": {"Successful", "Incomplete"},
    "slow": {"Successful", "Incomplete", "Cancelled", "Terminated"},
    "strict": {"Successful", "Incomplete", "Missed", "Cancelled", "Terminated"},
    "again": {"Successful", "Incomplete"},
    "timed": {"Successful", "Incomplete", "Missed"},
    "later": {"Missed"},
}


def content_of(name):
    """Return the content of the file `name`, which tells whether a delivered one is whole."""
    return hashlib.sha256(name.encode()).digest() * 4000


def transaction(name, files, **more):
    return {
        "name": name,
        "direction": "outbound",
        "api_allowed": True,
        "source": {"url": "file:from", "files": files},
        "destination": {"url": f"file:to/{name}"},
        "retries": {"file": 2, "file_delay": "10ms"},
        **more,
    }


def configuration():
    """Return quick jobs that delete their sources, slow ones, one that misses, and one with further attempts."""
    again = {"retries": {"file": 2, "file_delay": "10ms", "job": 1, "job_delay": "1s"}, "bandwidth": "1MiB/s"}
    password = {"file": "password"}
    return {
        "accounts": {
            "Administrator": {
                "password": password,
                "grants": {"diplomat": {"role": "Administrator", "transactions": ["*"]}},
            },
            "mftadmin": {
                "password": password,
                "grants": {"ibm_mq_mft": {"roles": ["MFTWebAdmin"], "topics": []}},
            },
        },
        # A client that a kill cut off never disconnects.
        "diplomat": {"sessions": {"limit": 1000}},
        "ibm_mq_mft": {"coordination_qmgr": "QM1"},
        "transactions": [
            transaction("quick", ["q*"], delete_source=True),
            transaction("many", ["m*"]),
            transaction("slow", ["slow.bin"], bandwidth="512KiB/s"),
            transaction("strict", ["slow.bin"], bandwidth="512KiB/s", fail_if_not_found=True),
            transaction("again", ["slow.bin"], **again),
            transaction("later", ["m1*"], fail_if_not_found=True),
            transaction("timed", ["m1*"], schedule={"cron": "* * * * *"}, fail_if_not_found=True),
        ],
    }


class Load:
    """Schedules and stops jobs until the hub is gone; `accepted` are the times of runNow that were answered 200."""

    def __init__(self, folder, chance):
        self.folder, self.chance = folder, chance
        self.accepted, self.monitor_time, self.files = set(), 0, []
        self.over = threading.Event()

    def run(self, url, round_):
        """Do what a client does, again and again; return when the hub no longer answers."""
        try:
            client = Diplomat(url, password=secret(PASSWORD))
            for count in range(10_000):
                if self.over.is_set():
                    return
                self._step(client, f"q{round_}-{count}")
        except (requests.RequestException, AssertionError, ET.ParseError):
            return

    def _step(self, client, name):
        self._put(name)
        wanted = self.chance.choice((*("quick",) * 6, *NAMES))
        self.accepted.add(client.run(wanted))
        if self.chance.random() < 0.15:
            kind, which = self.chance.choice(("cancel", "terminate")), self.chance.choice(("slow", "strict"))
            assert client.call(kind, transactionName=which).status_code in (200, 400)
        root = ET.fromstring(client.call("transactionStatuses").content)
        self.monitor_time = int(root.findtext("monitorTime"))

    def _put(self, name):
        """Put a whole file for `quick` into the source's folder in one step."""
        staged = self.folder / f".{name}"
        staged.write_bytes(content_of(name))
        staged.rename(self.folder / name)
        self.files.append(name)


def rows_of_dead(hub, folder):
    """Return the jobs that the database of a killed hub holds, from a copy of it.

    Another process copies it: closing a file ends the locks that connections of this process hold on it.
    """
    state = hub.data / "state/diplomat-svc"
    for name in ("diplomat.db", "diplomat.db-wal"):
        (folder / name).unlink(missing_ok=True)
        if (state / name).exists():
            subprocess.run(["cp", state / name, folder / name], check=True)
    with contextlib.closing(sqlite3.connect(folder / "diplomat.db")) as connection:
        return {row[0]: row[1:] for row in connection.execute(JOBS)}


def check_ends(hub, client, before, since):
    """Each job of the dead hub has its end, and `since` shows each transaction of which one changed."""
    root = ET.fromstring(client.call("transactionStatuses", since=str(since)).content)
    shown = {one.findtext("transactionName") for one in root.iter("transactionStatus")}
    after = {row[0]: row[1:] for row in hub.rows("diplomat", JOBS)}
    assert set(before) <= set(after), "no job vanished"
    assert {after[sequence][0] for sequence in set(after) - set(before)} <= {"timed"}, "the schedule alone makes jobs"
    changed = set()
    for sequence, (name, status, completion, scheduled, ended, _, attempt) in before.items():
        new = after[sequence]
        if status == "Complete":
            assert new[1:5] == (status, completion, scheduled, ended), "nothing leaves Complete"
            continue
        if name == "again" and (status, attempt) == ("Queued", 2):
            # It waits for its further attempt, whatever happens meanwhile.
            continue
        changed.add(name)
        assert new[5] > since, (sequence, before[sequence], new)
        if name == "again" and (status, attempt) == ("Running", 1):
            assert new[6] == 2, "a lost attempt is tried again"
        else:
            wanted = "Missed" if status in WAITING and name in ("strict", "timed", "later") else "Incomplete"
            assert new[1:3] == ("Complete", wanted), (sequence, name, status, new)
    assert changed <= shown
    return Counter(after[sequence][2] or "tried again" for sequence in before if before[sequence][1] != "Complete")


def check_files(hub, load):
    """Delivered files are whole, temporary ones gone, and a source that is gone was delivered first."""
    to, source = hub.data / "to", hub.data / "from"
    wait_until(lambda: not list(to.rglob(".*.part")), what="no temporary file")
    for path in to.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (SLOW if path.name == "slow.bin" else content_of(path.name)), path.name
    assert (source / "slow.bin").read_bytes() == SLOW
    gone = [name for name in load.files if not (source / name).exists()]
    assert all((to / "quick" / name).exists() for name in gone), "a source was deleted that was not delivered"
    kept = "SELECT f.source FROM files f JOIN jobs j ON j.sequence = f.sequence WHERE j.completion = 'Successful'"
    delivered = {row[0] for row in hub.rows("diplomat", kept)}
    unclear = {name for name in gone if name not in delivered}
    texts = "\n".join(row[0] for row in hub.rows("diplomat", "SELECT text FROM job_log"))
    assert all(name in texts for name in unclear), "the log of an Incomplete job names its files"
    load.files = [name for name in load.files if name not in gone]
    return len(unclear)


def check_logs(client, hub, sequences):
    """The log of each job is readable as a view, begins with its request and has its end once."""
    for sequence, name, _, completion, *_ in hub.rows("diplomat", JOBS):
        if sequence not in sequences:
            continue
        view = ET.fromstring(client.call("logView", transactionName=name, sequence=str(sequence)).content)
        buffer = ET.fromstring(client.call("logBuffer", logViewID=view.findtext("id"), lineNum="0").content)
        lines = [line.text for line in buffer.iter("line")]
        assert len(lines) == int(view.findtext("numLines"))
        assert lines[1].startswith(f'Transaction "{name}"; Scheduled ')
        # After the end of a lost job its log says which of its files are at the destination.
        assert sum(f"ended: {completion}." in line for line in lines) == 1, lines


def check_transfers(hub):
    """Each job has one end among the events and in the record of all transfers."""
    mq = IbmMq(hub.url, password=secret(PASSWORD))

    def recorded():
        # A time of the schedule may come meanwhile: read again until all of them agree.
        jobs = {row[0] for row in hub.rows("diplomat", "SELECT transfer_id FROM jobs")}
        ended = Counter(one.subject for one in events_of(hub, "diplomat") if one.type == TransferEnded.TYPE)
        assert set(ended.values()) == {1}
        states = {one["id"]: one["status"]["state"] for one in mq.transfers(limit=10_000)}
        return set(states) == set(ended) == jobs and set(states.values()) <= FINAL

    wait_until(recorded, within=30, every=0.2, what="the end of every transfer in the record")


def settled(hub):
    """Wait until no job is left to do."""
    unfinished = "SELECT sequence FROM jobs WHERE status <> 'Complete'"
    wait_until(lambda: not hub.rows("diplomat", unfinished), within=60, every=0.05, what="every end")


def prepare(folder):
    """Write the configuration and the files of the jobs; return the folder of these."""
    (folder / "password").write_text(secret(PASSWORD))
    (folder / "own.yaml").write_text(yaml.safe_dump(configuration()))
    source = folder / "data/from"
    source.mkdir(parents=True)
    (source / "slow.bin").write_bytes(SLOW)
    for place in range(200):
        (source / f"m{place}").write_bytes(content_of(f"m{place}"))
    return source


@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_every_job_ends_once_and_truthfully_after_kill_9_of_everything_e2_e9_e15_e17_e18_e19_e24(tmp_path, rounds):
    """The hub is killed `rounds` times: no accepted job vanishes, and ends, files, logs and records agree."""
    seed = int(os.environ.get("MFT_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"MFT_TEST_SEED={seed}")
    chance = random.Random(seed)
    source = prepare(tmp_path)
    hub = OneMachine(tmp_path, "--config", str(tmp_path / "own.yaml"), demo=False)
    load, lost, unclear, last = Load(source, chance), Counter(), 0, 0
    try:
        hub.start()
        for round_ in range(rounds):
            accepted = len(load.accepted)
            load.over.clear()
            thread = threading.Thread(target=load.run, args=(hub.url, round_))
            thread.start()
            delayed = crossdock("transaction", "run", "later", "--delay", "10m", "--data", hub.data, cwd=tmp_path)
            assert delayed.returncode == 0, delayed.stderr
            wait_until(lambda count=accepted: len(load.accepted) > count, what="an accepted job")
            load.over.wait(chance.uniform(0.0, 2.5))
            hub.kill()
            since = load.monitor_time
            load.over.set()
            thread.join()
            before = rows_of_dead(hub, tmp_path)
            assert [row[1] for row in before.values() if row[1] == "Delayed"] == ["Delayed"]
            assert load.accepted <= {row[3] for row in before.values()}, "an accepted job vanished"
            fresh = {sequence for sequence in before if sequence > last}
            hub.start()
            client = Diplomat(hub.url, password=secret(PASSWORD))
            lost += check_ends(hub, client, before, since)
            settled(hub)
            unclear += check_files(hub, load)
            check_logs(client, hub, fresh)
            check_transfers(hub)
            last = max(row[0] for row in hub.rows("diplomat", JOBS))
        settled(hub)
        rows = hub.rows("diplomat", JOBS)
        timed = [row[4] // 60_000 for row in rows if row[1] == "timed"]
        assert len(timed) <= 1 + (rows[-1][4] - rows[0][4]) // 60_000 + 1, "each time of the schedule has one job"
        assert [name for _, name, _, end, *_ in rows if end not in ENDS[name]] == []
        by_sequence = [row[4] for row in rows]
        assert by_sequence == sorted(set(by_sequence)), "sequences and scheduled times only grow"
        print(f"{rounds} kills, {len(rows)} jobs, {len(load.accepted)} accepted")
        print("ends:", dict(Counter(row[3] for row in rows)), "at the kill:", dict(lost), "in the window:", unclear)
        assert hub.stop() == 0
    finally:
        hub.kill()
