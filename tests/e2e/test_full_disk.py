"""A hub whose disk is full: no process dies, readiness says why, and all is well again when there is room."""

import signal
from pathlib import Path

import pytest
import requests

from tests.e2e.clients import HttpMft
from tests.servers.hub import OneMachine
from tests.servers.processes import wait_until
from tests.servers.small_disk import SmallDisk, on_small_disk

ANSWERS_OF_A_FULL_DISK = {503, 507}
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
PATHS = (
    "/2.0/files/in/x",
    "/2.0/login/basic",
    "/nothing",
    "/diplomat/APIRequest",
    "/ibmmq/rest/v2/admin/mft/transfer",
    "/dataprotector",
)


@pytest.fixture
def hub(tmp_path):
    """Return a hub and its disk of 48 MiB."""
    made = OneMachine(tmp_path)
    made.program.command = on_small_disk(made.program.command, made.data, mebibytes=48)
    yield made.start()
    made.kill()


def lasting_processes(pid, generations=3):
    """Return the process ids below `pid`, but those of the fourth generation: pieces of work, which come and go."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    if generations == 1:
        return children
    return sorted(children + [one for child in children for one in lasting_processes(child, generations - 1)])


def readiness(hub):
    """Return the status of `/readyz` and its document."""
    answer = requests.get(f"{hub.url}/readyz", timeout=20)
    return answer.status_code, answer.json()


def test_no_process_dies_while_the_disk_is_full(hub):
    """Requests of every protocol and method go on, whose figures and sessions find no room, and the processes stay."""
    client = HttpMft(hub.url)
    assert client.put("in/before.txt", b"before").status_code == 201
    disk, before = SmallDisk(hub.program.pid, hub.data), lasting_processes(hub.program.pid)
    for leave in (0, 1, 2, 3, 5, 8, 13, 21, 34, 0):
        disk.fill(leave)
        for method in METHODS:
            for path in PATHS:
                answer = requests.request(method, hub.url + path, data=b"x" * 100, timeout=30)
                assert answer.status_code < 500 or answer.status_code in ANSWERS_OF_A_FULL_DISK, (method, path, answer)
        disk.fill()
        assert client.put("in/large.bin", b"x" * 300_000).status_code in ANSWERS_OF_A_FULL_DISK
        assert client.get("in/before.txt").content == b"before"
    assert lasting_processes(hub.program.pid) == before
    assert "SIGBUS" not in hub.log()
    disk.make_room()
    wait_until(lambda: readiness(hub)[0] == 200, within=60, what="readiness")
    assert client.put("in/after.txt", b"after").status_code == 201
    assert "before.txt" in client.names("in")
    assert hub.stop() == 0


def test_a_process_that_starts_on_a_full_disk_stays(hub):
    """Its figures stay in memory until there is room, and nothing of them kills it."""
    disk = SmallDisk(hub.program.pid, hub.data)
    web = hub.program.children()[0]
    disk.fill()
    before = set(lasting_processes(web))
    for worker in before:
        hub.program.kill_one(worker)

    def replaced():
        found = set(lasting_processes(web))
        return found if len(found) == len(before) and not found & before else None

    started = wait_until(replaced, what="new web processes")
    for _ in range(20):
        requests.get(f"{hub.url}/healthz", timeout=30)
    assert set(lasting_processes(web)) == started
    disk.make_room()
    wait_until(lambda: readiness(hub)[0] == 200, within=60, what="readiness")
    wait_until(lambda: "mft_requests_total" in requests.get(f"{hub.url}/metrics", timeout=20).text, what="figures")


def test_readiness_names_the_disk_that_is_full(hub):
    """An operator reads the cause, and not that some worker is missing."""
    disk = SmallDisk(hub.program.pid, hub.data)
    assert readiness(hub)[0] == 200
    disk.fill()
    wait_until(lambda: readiness(hub)[0] == 503, what="a hub that is not ready")
    assert "full" in readiness(hub)[1]["failing"]["disk"]
    assert "full" in readiness(hub)[1]["failing"]["filestore-svc bytes"]
    hub.program.kill_one(hub.program.children()[-1])
    wait_until(lambda: "process.ended" in hub.log(), what="a worker that is gone")
    assert "full" in readiness(hub)[1]["failing"]["disk"]
    disk.make_room()
    wait_until(lambda: readiness(hub)[0] == 200, within=60, what="readiness")
    hub.program.send(signal.SIGTERM)
    assert hub.program.wait() == 0
