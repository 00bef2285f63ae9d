"""Scheduled transfers as a worker carries them out, over both kinds of database: 174-176, 180, 182, 235, 236, 4.C."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from mft_common.clock import iso, now_ms, parse_iso
from mqmft_svc.store.tables import OUTBOX, TIMERS, managed, schedule
from tests.servers.clock import Clock
from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until
from tests.service.mqmft_svc.mqmft_hub import caller

CSRF = {"ibm-mq-rest-csrf-token": ""}
AGENTS = {
    "QUAY": {"qmgr": "QM1", "root": "file:quay", "timezone": "America/New_York", "maximum_queued_transfers": 2},
    "YARD": {"qmgr": "QM1", "root": "file:yard"},
    "VAULT": {"qmgr": "QM1", "root": "file:vault", "allow": ["treasury"]},
}
BODY = {
    "job": {"name": "nightly"},
    "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
    "destinationAgent": {"name": "YARD", "qmgrName": "QM1"},
    "transferSet": {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}], "priority": 3},
}
# An agent at which a thousand transfers may wait.
FROM_YARD = {**BODY, "sourceAgent": {"name": "YARD", "qmgrName": "QM1"}}
DAILY = {"startTime": "2026-06-01T06:00", "occurrenceInterval": "days"}
BEFORE = parse_iso("2026-05-31T20:00:00Z")
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# The hub's zone is two hours ahead of UTC in summer.
FIRST = parse_iso("2026-06-01T04:00:00Z")


@pytest.fixture
def clock():
    """The clock of the hubs."""
    return Clock(BEFORE)


@pytest.fixture
def make(open_hub, runner, clock):
    """Return a function that builds the service as another process does."""

    def make(agents=AGENTS, timezone="Europe/Amsterdam", now=clock):
        section = {"coordination_qmgr": "QM1", "timezone": timezone, "agents": agents}
        return open_hub({"ibm_mq_mft": section}, runner=runner, now=now, MQMFT_CALL_HOSTS="partner.example")

    return make


@pytest.fixture
def hub(make):
    """A hub whose timers the test fires."""
    return make()


def post(hub, given=None, *, body=BODY, headers=None, **options):
    """Send a request for a transfer with a schedule."""
    body = body if given is None else {**body, "scheduleTransfer": given}
    return hub.mft(method="POST", json=body, headers={**CSRF, **(headers or {})}, **options)


def accepted(hub, given=None, **options):
    """Send a request that is accepted, and return the transfer's id."""
    answer = post(hub, given, **options)
    assert answer.status_code == 202, answer.json
    return answer.headers["Location"].rpartition("/")[2]


def step(hub, clock, at):
    """Let the clock show a time, and a worker look at its timers; return how many fired."""
    clock.at = at
    return hub.service.operations.scheduling.timers().step()


def whole(hub, id_):
    """Return all attributes of a transfer."""
    (found,) = hub.mft(f"/{id_}?attributes=*").json["transfer"]
    return found


def listed(hub):
    """Return the ids of all transfers, the oldest first."""
    return [one["id"] for one in reversed(hub.mft().json["transfer"])]


def rows(hub, table=managed):
    """Return the rows of a table by their ids."""
    with hub.service.database.read() as connection:
        return {row.id: row for row in connection.execute(sa.select(table))}


def next_times(hub):
    """Return the next time of each schedule, by its id."""
    with hub.service.database.read() as connection:
        return {key.removeprefix("schedule/"): at for key, at in TIMERS.next_times(connection).items()}


def is_waiting(hub):
    """Return whether a worker would find a transfer to take."""
    return hub.service.dispatcher()._work.is_waiting()


def test_235_a_scheduled_request_waits_under_its_id_and_runs_at_its_time(hub, clock):
    """Items 174, 179, 235: `started` from the 202 on, the description says for when; not a millisecond early."""
    id_ = accepted(hub, {"startTime": "2026-06-01T06:00"})
    found = whole(hub, id_)
    assert found["status"]["state"] == "started"
    assert found["status"]["description"] == "Scheduled for 2026-06-01 06:00 Europe/Amsterdam."
    assert (found["statistics"]["startTime"], found["job"]["name"]) == (iso(BEFORE), "nightly")
    assert found["transferSet"]["item"][0]["source"]["file"]["path"] == "a"
    assert step(hub, clock, FIRST - 1) == 0
    assert not is_waiting(hub)
    assert step(hub, clock, FIRST) == 1
    assert is_waiting(hub)
    assert listed(hub) == [id_]
    assert whole(hub, id_)["statistics"]["startTime"] == iso(BEFORE)
    assert (rows(hub, schedule), next_times(hub)) == ({}, {})
    assert step(hub, clock, FIRST + 400 * DAY) == 0


def test_235_it_is_moved_by_a_worker_at_its_time(make, tmp_path):
    """Item 235: `successful` under the id of the 202, and by a worker that ran before the time came."""
    for folder in ("quay", "yard"):
        (tmp_path / folder).mkdir()
    (tmp_path / "quay/a").write_bytes(b"a")
    # The leases of workers follow the clock of the machine, and so a jump of the clock is a step beside it.
    ahead = Clock(0)
    hub = make(now=lambda: now_ms() + ahead.at)
    start = iso(now_ms() + HOUR)[:16]
    id_ = accepted(hub, {"startTime": start, "timeBase": "utc"})
    timers = hub.service.operations.scheduling.timers()
    work = hub.service.dispatcher()
    stop = threading.Event()
    thread = threading.Thread(target=work.run, args=(stop,))
    thread.start()
    try:
        assert timers.step() == 0
        assert rows(hub)[id_].status == "scheduled"
        ahead.at = HOUR
        assert timers.step() == 1
        assert wait_until(lambda: rows(hub)[id_].status == "over", within=30)
    finally:
        stop.set()
        thread.join(30)
    assert (tmp_path / "yard/b").read_bytes() == b"a"
    with hub.service.database.read() as connection:
        (last,) = connection.execute(
            sa.select(OUTBOX.table.c.data).where(OUTBOX.table.c.type == "transfer.ended.v1")
        ).scalars()
    assert (id_ in last, '"successful"' in last) == (True, True)


def test_235_each_further_occurrence_is_a_transfer_of_its_own(hub, clock):
    """Items 176 and 235: a new id, made when its time has come; same job, priority, agents, account and items."""
    id_ = accepted(hub, {**DAILY, "occurrenceCount": 3})
    assert step(hub, clock, FIRST) == 1
    assert listed(hub) == [id_]
    assert step(hub, clock, FIRST + DAY - 1) == 0
    assert step(hub, clock, FIRST + DAY) == 1
    first, second = listed(hub)
    assert first == id_ != second
    made, found = rows(hub), whole(hub, second)
    assert found["status"] == {
        "state": "started", "description": "Scheduled for 2026-06-02 06:00 Europe/Amsterdam.",
        "lastStatusUpdate": iso(FIRST + DAY),
    }  # fmt: skip
    same = ("job", "userProperties", "sourceAgent", "destinationAgent", "originator")
    assert [found[name] for name in same] == [whole(hub, id_)[name] for name in same]
    assert (made[second].priority, made[second].status, made[second].account) == (3, "queued", "mftadmin")
    assert made[second].request_id != made[id_].request_id
    assert rows(hub, schedule)[id_].latest == second
    assert step(hub, clock, FIRST + 2 * DAY) == 1
    assert len(listed(hub)) == 3
    assert (rows(hub, schedule), next_times(hub)) == ({}, {})
    assert step(hub, clock, FIRST + 30 * DAY) == 0


def test_175_the_time_counts_in_the_zone_of_the_hub_of_the_agent_or_in_utc(hub):
    """Item 175: `admin` is the default; the agent is that of the source."""
    for base, hour in ((None, 4), ("admin", 4), ("source", 10), ("utc", 6)):
        id_ = accepted(hub, {"startTime": "2026-06-01T06:00", "timeBase": base})
        assert next_times(hub)[id_] == parse_iso(f"2026-06-01T{hour:02}:00Z"), base


def test_175_a_schedule_keeps_its_zone_when_the_configuration_changes(make, clock):
    """Item 175: another zone of the hub counts for schedules that are made afterwards."""
    id_ = accepted(make(), DAILY)
    again = make(timezone="Asia/Tokyo")
    assert step(again, clock, FIRST) == 1
    assert next_times(again)[id_] == FIRST + DAY
    later = accepted(again, {"startTime": "06:00"})
    assert next_times(again)[later] == parse_iso("2026-06-01T21:00Z")


def test_174_a_start_that_has_passed_is_refused_and_nothing_is_recorded(hub):
    """Items 154 and 174: 400 `MQWB0971E` with the path; with a key that was used the first answer comes again."""
    answer = post(hub, {"startTime": "2026-05-31T21:59"})
    assert answer.status_code == 400
    (error,) = answer.json["error"]
    assert error["msgId"] == "MQWB0971E"
    assert error["message"].endswith(
        "'scheduleTransfer.startTime' is not right: 2026-05-31T21:59 has passed in Europe/Amsterdam."
    )
    assert (listed(hub), rows(hub), rows(hub, schedule)) == ([], {}, {})


def test_152_a_repeated_request_has_the_first_answer_after_its_time_too(hub, clock):
    """Items 152 and 174: one schedule, whatever the clock shows by then."""
    key = {"Idempotency-Key": "k"}
    id_ = accepted(hub, {"startTime": "2026-06-01T06:00"}, headers=key)
    assert step(hub, clock, FIRST + HOUR) == 1
    assert accepted(hub, {"startTime": "2026-06-01T06:00"}, headers=key) == id_
    assert post(hub, {"startTime": "2026-06-01T06:00"}).status_code == 400


def test_236_after_downtime_a_missed_occurrence_runs_once(hub, clock):
    """Item 236: over three due times one transfer, that of the last, and then the schedule goes on."""
    id_ = accepted(hub, DAILY)
    assert step(hub, clock, FIRST + 2 * DAY + HOUR) == 1
    assert listed(hub) == [id_]
    assert rows(hub)[id_].status == "queued"
    assert next_times(hub) == {id_: FIRST + 3 * DAY}
    assert step(hub, clock, FIRST + 5 * DAY + HOUR) == 1
    _, late = listed(hub)
    assert whole(hub, late)["status"]["description"] == "Scheduled for 2026-06-06 06:00 Europe/Amsterdam."
    assert step(hub, clock, FIRST + 6 * DAY) == 1
    assert len(listed(hub)) == 3


def test_236_missed_occurrences_count_and_the_last_one_runs_late(hub, clock):
    """Items 176 and 236: downtime over the rest of a schedule makes one transfer, and none afterwards."""
    accepted(hub, {**DAILY, "occurrenceCount": 4})
    assert step(hub, clock, FIRST) == 1
    assert step(hub, clock, FIRST + 40 * DAY) == 1
    assert step(hub, clock, FIRST + 80 * DAY) == 0
    assert len(listed(hub)) == 2


def test_236_the_day_on_which_the_time_does_not_exist_and_the_one_that_has_it_twice(hub, clock):
    """Item 236: 03:00 instead of 02:30 in March, 02:30 again the day after; in October one run at the first 02:30."""
    clock.at = parse_iso("2026-10-24T10:00Z")
    autumn = accepted(hub, {"startTime": "2026-10-25T02:30", "occurrenceInterval": "days", "occurrenceCount": 2})
    spring = accepted(hub, {"startTime": "2027-03-28T02:30", "occurrenceInterval": "days", "occurrenceCount": 2})
    assert next_times(hub) == {autumn: parse_iso("2026-10-25T00:30Z"), spring: parse_iso("2027-03-28T01:00Z")}
    assert whole(hub, spring)["status"]["description"] == "Scheduled for 2027-03-28 03:00 Europe/Amsterdam."
    assert step(hub, clock, next_times(hub)[autumn]) == 1
    assert step(hub, clock, parse_iso("2026-10-25T01:30Z")) == 0
    assert next_times(hub)[autumn] == parse_iso("2026-10-26T01:30Z")
    assert step(hub, clock, parse_iso("2027-03-28T01:00Z")) == 2
    assert next_times(hub) == {spring: parse_iso("2027-03-29T00:30Z")}


def test_180_one_that_waits_for_its_time_is_taken_back_with_its_schedule(hub, clock):
    """Items 180, 215, 4.C: 202 and `deleted`; nothing runs later, a second time is 400, and no slot is taken."""
    id_ = accepted(hub, DAILY)
    assert hub.mft(f"/{id_}", method="DELETE", headers=CSRF).status_code == 202
    found = whole(hub, id_)
    assert (found["status"]["state"], found["statistics"]["endTime"]) == ("deleted", iso(BEFORE))
    assert found["transferSet"]["item"][0]["status"]["state"] == "deleted"
    assert (rows(hub)[id_].status, rows(hub, schedule), next_times(hub)) == ("over", {}, {})
    assert step(hub, clock, FIRST + 10 * DAY) == 0
    assert listed(hub) == [id_]
    again = hub.mft(f"/{id_}", method="DELETE", headers=CSRF)
    assert (again.status_code, again.json["error"][0]["msgId"]) == (400, "MQWB0976E")


def test_180_a_later_occurrence_is_stopped_alone(hub, clock):
    """Items 180 and 235: its time has come, and the schedule goes on with the next one."""
    id_ = accepted(hub, DAILY)
    for day in range(2):
        assert step(hub, clock, FIRST + day * DAY) == 1
    for one in listed(hub):
        assert hub.mft(f"/{one}", method="DELETE", headers=CSRF).status_code == 202
        assert whole(hub, one)["status"]["state"] == "deleted"
    assert next_times(hub) == {id_: FIRST + 2 * DAY}


def test_235_a_schedule_is_removed_with_the_transfer_that_waits(hub, clock):
    """4.C: the rest of a schedule that was removed is `deleted`; a transfer whose time has come is left alone."""
    waiting, begun = accepted(hub, {**DAILY, "startTime": "2026-06-02T06:00"}), accepted(hub, DAILY)
    assert step(hub, clock, FIRST) == 1
    scheduling = hub.service.operations.scheduling
    assert [scheduling.delete(id_) for id_ in (waiting, begun, begun, "A" * 48)] == [True, True, False, False]
    found = whole(hub, waiting)
    assert found["status"]["state"] == "deleted"
    assert found["status"]["description"] == "BFGRP0037I: Its schedule was removed."
    assert whole(hub, begun)["status"]["state"] == "started"
    assert rows(hub)[begun].status == "queued"
    assert (rows(hub, schedule), next_times(hub)) == ({}, {})
    assert step(hub, clock, FIRST + 10 * DAY) == 0


def test_232_a_transfer_that_is_over_before_it_begins_keeps_no_secrets_of_its_calls(make, clock):
    """Item 232: one whose schedule was removed, and one that its agents do not carry out when its time has come."""
    hub, token = make(), secret("token-of-a-scheduled-call")
    calls = {"postSourceCall": {"type": "http", "url": f"https://partner.example/{token}"}}
    body = {**BODY, "transferSet": {**BODY["transferSet"], **calls}}
    removed, refused = (accepted(hub, {"startTime": "2026-06-01T06:00"}, body=body) for _ in range(2))
    assert [token in rows(hub)[id_].submission for id_ in (removed, refused)] == [True, True]
    assert hub.service.operations.scheduling.delete(removed)
    assert step(make({name: one for name, one in AGENTS.items() if name != "YARD"}), clock, FIRST) == 1
    assert [(rows(hub)[id_].status, token in rows(hub)[id_].submission) for id_ in (removed, refused)] == [
        ("over", False), ("over", False),
    ]  # fmt: skip
    assert rows(hub, schedule) == {}


def test_182_one_that_waits_for_its_time_takes_no_place_at_its_agent(hub, clock):
    """Item 182: two may wait for a worker; at its time a third one ends as `failed`, as a request would."""
    scheduled = [accepted(hub, {"startTime": "2026-06-01T06:00"}) for _ in range(3)]
    waiting = accepted(hub)
    assert [whole(hub, id_)["status"]["state"] for id_ in (*scheduled, waiting)] == ["started"] * 4
    assert step(hub, clock, FIRST) == 3
    states = sorted(whole(hub, id_)["status"]["state"] for id_ in scheduled)
    assert states == ["failed", "failed", "started"]
    (reason, _) = [
        one["status"]["description"] for one in (whole(hub, id_) for id_ in scheduled)
        if one["status"]["state"] == "failed"
    ]  # fmt: skip
    assert reason == "BFGRP0037I: 2 transfers wait at the agent QUAY already."
    assert (rows(hub, schedule), next_times(hub)) == ({}, {})


def test_169_220_the_age_of_a_scheduled_transfer_counts_from_its_time(hub, clock):
    """Items 169 and 220: higher priority goes first, then the one that waits for a worker longest."""
    urgent = {**FROM_YARD, "transferSet": {**BODY["transferSet"], "priority": 9}}
    late = accepted(hub, {"startTime": "2026-06-01T06:00"}, body=FROM_YARD)
    first = accepted(hub, {"startTime": "2026-06-01T06:00"}, body=urgent)
    clock.at = FIRST - MINUTE
    earlier = accepted(hub, body=FROM_YARD)
    assert step(hub, clock, FIRST) == 2
    clock.at = FIRST + MINUTE
    later = accepted(hub, body=FROM_YARD)
    work = hub.service.dispatcher()._work
    with hub.service.database.write() as connection:
        section = hub.service.follower.refresh(connection)
        taken = [work._first_with_room(connection, section, "w").id for _ in range(4)]
    assert taken == [first, earlier, late, later]


def test_155_agents_are_looked_up_at_each_time(make, clock):
    """Items 155, 178, 4.C: one that is gone, or does not serve the account any more, ends that occurrence."""
    hub = make()
    ids = [accepted(hub, DAILY) for _ in range(2)]
    gone = make({name: one for name, one in AGENTS.items() if name != "YARD"})
    assert step(gone, clock, FIRST) == 2
    for id_ in ids:
        found = whole(gone, id_)["status"]
        assert found["state"] == "failed"
        assert found["description"] == "BFGRP0037I: The agent YARD is not configured any more."
    closed = make({**AGENTS, "YARD": {**AGENTS["YARD"], "allow": ["treasury"]}})
    assert step(closed, clock, FIRST + DAY) == 2
    made = [whole(closed, id_)["status"]["state"] for id_ in listed(closed) if id_ not in ids]
    assert made == ["notAuthorized"] * 2
    assert step(make(), clock, FIRST + 2 * DAY) == 2
    assert [row.status for row in rows(closed).values()].count("queued") == 2


def test_215_a_request_that_no_agent_carries_out_has_no_schedule(hub, clock):
    """Items 178 and 215: it ends at once, and not each time anew."""
    vault = {**BODY, "destinationAgent": {"name": "VAULT", "qmgrName": "QM1"}}
    id_ = accepted(hub, DAILY, body=vault)
    assert whole(hub, id_)["status"]["state"] == "notAuthorized"
    treasury = accepted(hub, DAILY, body=vault, identity=caller("treasury"))
    assert list(next_times(hub)) == [treasury]
    assert step(hub, clock, FIRST) == 1
    assert whole(hub, treasury)["originator"]["userId"] == "treasury"


def test_a_schedule_outlives_the_request_of_its_first_transfer(hub, clock):
    """A day after its end the first one is forgotten, and the others come all the same."""
    id_ = accepted(hub, DAILY)
    assert step(hub, clock, FIRST) == 1
    assert hub.mft(f"/{id_}", method="DELETE", headers=CSRF).status_code == 202
    clock.at = FIRST + DAY + HOUR
    assert hub.service.operations.submitting.purge() == 1
    assert rows(hub) == {}
    assert step(hub, clock, FIRST + DAY + HOUR) == 1
    assert len(rows(hub)) == 1


def test_a_transfer_that_waits_for_its_time_is_never_purged(hub, clock):
    """It may wait for years."""
    id_ = accepted(hub, {"startTime": "2036-06-01T06:00"})
    clock.at = parse_iso("2036-05-01T00:00Z")
    assert hub.service.operations.submitting.purge() == 0
    assert rows(hub)[id_].status == "scheduled"


def test_each_occurrence_is_made_once_by_two_workers(make, clock):
    """Items 214 and 235: two workers look at the same timers at the same moment, each over connections of its own."""
    first = make()
    hubs = [first, make()]
    ids = [accepted(first, DAILY, body=FROM_YARD) for _ in range(6)]
    for day in range(4):
        clock.at = FIRST + day * DAY
        together = threading.Barrier(len(hubs))
        fired = []

        def look(hub, together=together, fired=fired):
            together.wait()
            fired.append(hub.service.operations.scheduling.timers().step())

        threads = [threading.Thread(target=look, args=(hub,)) for hub in hubs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        # One that sees a timer which the other has locked stops looking for now.
        assert sum(fired) + first.service.operations.scheduling.timers().step() == len(ids)
    assert len(listed(first)) == len(rows(first)) == 4 * len(ids)
    assert [row.runs for row in rows(first, schedule).values()] == [4] * len(ids)


def test_stopping_and_firing_at_once_ends_in_one_of_the_two(make, clock):
    """Items 180 and 235: `deleted` without a run, or a run that is taken back; neither waits for the other for ever."""
    hub, other = make(), make()
    for number in range(8):
        clock.at = BEFORE
        id_ = accepted(hub, {"startTime": "2026-06-01T06:00"})
        clock.at = FIRST
        together = threading.Barrier(2)
        answers = []

        def stop(together=together, answers=answers, id_=id_):
            together.wait()
            answers.append(other.mft(f"/{id_}", method="DELETE", headers=CSRF).status_code)

        thread = threading.Thread(target=stop)
        thread.start()
        together.wait()
        hub.service.operations.scheduling.timers().step()
        thread.join(60)
        assert answers == [202], number
        assert (rows(hub)[id_].status, whole(hub, id_)["status"]["state"]) == ("over", "deleted")
    assert (rows(hub, schedule), next_times(hub)) == ({}, {})


PROGRAM = textwrap.dedent("""
    import sys
    from pathlib import Path
    from mft_common import logs
    from mft_common.config import Reader
    from mft_common.schedules import TimerService
    from mqmft_svc.store import schedules
    from mqmft_svc.store.tables import TIMERS
    from tests.service.mqmft_svc.mqmft_hub import Hub
    from tests.service.mqmft_svc.test_mqmft_scheduling import AGENTS

    folder, url, at = sys.argv[1:]
    logs.configure("test", "error", sys.stderr)
    config = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "timezone": "Europe/Amsterdam", "agents": AGENTS}}
    reader = Reader(Path(folder), {}, data=Path(folder))
    hub = Hub(Path(folder), config=config, reader=reader, now=lambda: int(at), MQMFT_DATABASE_URL=url)

    def fire(connection, firing):
        hub.service.operations.scheduling.fire(connection, firing)
        print("made", flush=True)
        sys.stdin.readline()

    TimerService(hub.service.database, TIMERS, fire, now=lambda: int(at), prepare=schedules.lock).step()
""")


@pytest.mark.parametrize("day", [0, 1])
def test_a_worker_killed_before_its_commit_has_made_nothing(make, clock, tmp_path, database_url, day):
    """Items 151, 214, 235: kill -9 after the transfer was written; another worker makes it, and it is there once."""
    hub = make()
    id_ = accepted(hub, DAILY)
    for before in range(day):
        assert step(hub, clock, FIRST + before * DAY) == 1
    listed_before, at = listed(hub), FIRST + day * DAY
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path), database_url, str(at)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    killed = subprocess.Popen(arguments, text=True, env=environment, **pipes)
    try:
        assert killed.stdout.readline() == "made\n"
    finally:
        killed.kill()
        killed.communicate()
    assert listed(hub) == listed_before
    assert next_times(hub) == {id_: at}
    assert step(hub, clock, at) == 1
    assert step(hub, clock, at) == 0
    assert len(listed(hub)) == len(rows(hub)) == day + 1
    assert [row.status for row in rows(hub).values()] == ["queued"] * (day + 1)


def test_203_each_occurrence_has_its_event(hub, clock):
    """Item 203: the started event has the description, from which every other record would be built."""
    accepted(hub, DAILY)
    assert step(hub, clock, FIRST) == 1
    assert step(hub, clock, FIRST + DAY) == 1
    with hub.service.database.read() as connection:
        columns = OUTBOX.table.c
        found = connection.execute(sa.select(columns.type, columns.data).order_by(columns.position)).all()
    told = [(row.type, json.loads(row.data)["description"]) for row in found]
    days = ("2026-06-01", "2026-06-02")
    assert told == [("transfer.started.v1", f"Scheduled for {day} 06:00 Europe/Amsterdam.") for day in days]
