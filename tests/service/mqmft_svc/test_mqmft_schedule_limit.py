"""The hub keeps so many scheduled transfers that wait for their time (174, 235)."""

import threading

import pytest

from mft_common.clock import parse_iso
from tests.servers.clock import Clock
from tests.servers.monitor_bodies import config
from tests.servers.monitored import TOKEN

NOW = parse_iso("2026-05-31T20:00:00Z")
DAY = 86_400_000
BODY = {
    "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
    "destinationAgent": {"name": "YARD", "qmgrName": "QM1"},
    "transferSet": {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}]},
}
ONCE = {"startTime": "2026-06-01T06:00"}
DAILY = {**ONCE, "occurrenceInterval": "days"}


@pytest.fixture
def clock():
    """The clock of the hub."""
    return Clock(NOW)


@pytest.fixture
def hub(open_hub, clock):
    """A hub that keeps two schedules."""
    return open_hub(config(), now=clock, MQMFT_MAX_SCHEDULES="2")


def post(hub, schedule):
    """Ask for a transfer; return the answer's status, the id of its error, and its message."""
    body = BODY if schedule is None else {**BODY, "scheduleTransfer": schedule}
    answer = hub.mft(method="POST", json=body, headers=TOKEN)
    error = (answer.json or {}).get("error", [{}])[0]
    return answer.status_code, error.get("msgId", ""), error.get("message", "")


def total(hub):
    """Return how many transfers the record has."""
    return len(hub.mft().json["transfer"])


def test_174_a_scheduled_transfer_beyond_the_limit_is_refused(hub, clock):
    """Item 174: 400 that names attribute and number, and no record; those at once are none of them, nor those over."""
    assert [post(hub, each)[0] for each in (DAILY, ONCE, None)] == [202, 202, 202]
    status, id_, message = post(hub, ONCE)
    assert (status, id_) == (400, "MQWB0971E")
    assert "'scheduleTransfer'" in message
    assert "2 scheduled transfers wait" in message
    assert total(hub) == 3
    # The one that runs once is over after its time; the daily one has become a transfer and waits for its next time.
    clock.at = parse_iso("2026-06-01T06:00:01Z")
    assert hub.service.operations.scheduling.timers().step() == 2
    assert [post(hub, {"startTime": "2026-07-01T06:00"})[0] for _ in range(2)] == [202, 400]
    clock.at += DAY
    assert hub.service.operations.scheduling.timers().step() == 1


def test_174_requests_at_the_same_time_do_not_exceed_the_limit(hub):
    """Item 174: they are counted one after another, over both kinds of database."""
    together = threading.Barrier(6)
    found = []

    def ask():
        together.wait(30)
        found.append(post(hub, ONCE)[0])

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [202, 202, 400, 400, 400, 400]
    assert total(hub) == 2
