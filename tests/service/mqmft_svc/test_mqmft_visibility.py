"""`MQMFT_CACHE_RESET_ON_START`: a start hides the transfers before it, and deletes none: 47, 50, 200, 241."""

import random
import threading

import pytest
import sqlalchemy as sa

from mqmft_svc.store import transfers as records
from mqmft_svc.store import visibility
from mqmft_svc.store.tables import transfer, visible_since
from mqmft_svc.store.transfers import Filter
from tests.servers.clock import Clock
from tests.servers.processes import wait_until
from tests.service.mqmft_svc.mqmft_hub import BASE, ended, envelope, progressed, started, transfer_id

TOTAL = "ibm-mq-rest-mft-total-transfers"
SECOND = 1000
CSRF = {"ibm-mq-rest-csrf-token": ""}
REQUEST = {
    "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
    "destinationAgent": {"name": "YARD", "qmgrName": "QM1"},
    "transferSet": {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}]},
}


@pytest.fixture
def clock():
    """The clock of the hubs."""
    return Clock(BASE)


@pytest.fixture
def start(open_hub, clock):
    """Start the service as another process does, over one database; with `reset` it hides what was before."""
    made = []

    def start(*, reset=True, at=None, **environ):
        clock.at = clock.at if at is None else at
        values = {"MQMFT_CACHE_RESET_ON_START": "1" if reset else "0", **environ}
        agents = {name: {"qmgr": "QM1", "root": f"file:{name.lower()}"} for name in ("QUAY", "YARD")}
        config = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": agents}}
        made.append(open_hub(config, now=clock, **values))
        # The events of hubs over one database are those of one producer.
        made[-1].sequence = 1000 * len(made)
        return made[-1]

    return start


def shown(hub):
    """Return the numbers of the transfers in the list, and the total of the list."""
    answer = hub.mft()
    return [int(one["id"][32:], 16) for one in answer.json["transfer"]], int(answer.headers[TOTAL])


def post(hub):
    """Submit a transfer, and return its id."""
    body = {
        "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
        "destinationAgent": {"name": "YARD", "qmgrName": "QM1"},
        "transferSet": {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}]},
    }
    answer = hub.mft(method="POST", json=body, headers=CSRF)
    return answer.headers["Location"].rpartition("/")[2]


def test_200_a_start_hides_what_began_before_it_and_deletes_nothing(start):
    """Items 43, 47, 50, 200: list, one, pages, total, the request to stop; switched off, all is back."""
    first = start()
    old, older = first.upload(1, at=BASE + 1), first.upload(2, at=BASE + 2)
    running = post(first)
    assert shown(first)[1] == 3
    second = start(at=BASE + 60 * SECOND)
    assert shown(second) == ([], 0)
    new = second.upload(3, at=BASE + 60 * SECOND)
    later = post(second)
    assert shown(second)[1] == 2
    assert second.mft(f"/{new}").headers[TOTAL] == "2"
    for hidden in (old, older, running):
        for path in (f"/{hidden}", f"/{hidden.lower()}?attributes=*", f"?after={hidden}", f"?before={hidden}"):
            answer = second.mft(path)
            assert (answer.status_code, answer.json["error"][0]["msgId"]) == (404, "MQWB0401E"), path
        assert second.mft(f"/{hidden}", method="DELETE", headers=CSRF).status_code == 404
    # The list is newest first, and the page behind the oldest visible one is empty.
    assert second.mft(f"?before={new}").json["transfer"] == []
    assert second.mft("?limit=1").headers[TOTAL] == "2"
    assert second.mft(f"/{later}", method="DELETE", headers=CSRF).status_code == 202
    off = start(reset=False, at=BASE + 120 * SECOND)
    assert shown(off)[1] == 5
    assert off.mft(f"/{old}").status_code == 200
    assert off.mft(f"/{running}", method="DELETE", headers=CSRF).status_code == 202


def test_200_a_transfer_that_is_hidden_goes_on_and_its_record_too(start):
    """Item 200: its events change the record, which is complete once the switch is off."""
    first = start()
    first.tell(envelope(started(1, at=BASE + 1), 1))
    second = start(at=BASE + 60 * SECOND)
    second.tell(envelope(ended(1, at=BASE + 1), 2, time=BASE + 70 * SECOND))
    assert shown(second) == ([], 0)
    off = start(reset=False)
    (one,) = off.mft().json["transfer"]
    assert one["status"]["state"] == "successful"


def test_200_replicas_and_processes_that_are_replaced_answer_alike(start):
    """Item 200: within 20 s of another process, and while a worker notes that it runs; after that it is a new start."""
    first = start()
    made = first.upload(1, at=BASE + SECOND)
    second = start(at=BASE + 20 * SECOND)
    assert shown(first) == shown(second) == ([1], 1)
    third = start(at=BASE + 40 * SECOND)
    assert shown(third) == ([1], 1)
    with third.service.database.write() as connection:
        visibility.note(connection, BASE + 50 * SECOND)
    fourth = start(at=BASE + 70 * SECOND)
    assert fourth.mft(f"/{made}").status_code == 200
    fifth = start(at=BASE + 90 * SECOND + 1)
    for hub in (first, second, third, fourth, fifth):
        assert shown(hub) == ([], 0)


def test_200_processes_that_know_the_start_of_their_hub_go_by_it(start):
    """Item 200: `MQMFT_STARTED_AT` of a hub of one machine: the same one joins at any time, another one never."""
    first = start(MQMFT_STARTED_AT=str(BASE))
    first.upload(1, at=BASE)
    assert shown(start(at=BASE + 900 * SECOND, MQMFT_STARTED_AT=str(BASE))) == ([1], 1)
    again = start(at=BASE + 901 * SECOND, MQMFT_STARTED_AT=str(BASE + 1))
    assert shown(again) == ([], 0)
    again.upload(2, at=BASE + 1)
    assert shown(again) == ([2], 1)


def test_200_a_worker_notes_that_it_runs(start, clock):
    """Item 200: only where nobody knows the start of the hub, and only with the switch."""
    for environ in ({"reset": False}, {"MQMFT_STARTED_AT": str(BASE)}):
        assert start(**environ).service.visibility_tasks() == []
    hub = start(at=BASE + 100 * SECOND)
    clock.at = BASE + 150 * SECOND
    (task,) = hub.service.visibility_tasks(every=0.01)
    stop = threading.Event()
    thread = threading.Thread(target=task.run, args=(stop,))
    thread.start()

    def noted():
        with hub.service.database.read() as connection:
            return connection.execute(sa.select(visible_since.c.noted_at)).scalar() == clock.at

    try:
        wait_until(noted, within=30)
    finally:
        stop.set()
        thread.join(30)
    start(at=BASE + 165 * SECOND)
    with hub.service.database.read() as connection:
        assert visibility.since(connection) == BASE + 100 * SECOND


def counted(hub):
    """Return the total of the header, and that of the table."""
    with hub.service.database.read() as connection:
        moment = visibility.since(connection)
        rows = connection.execute(sa.select(sa.func.count()).where(transfer.c.started_at >= moment)).scalar()
    return int(hub.mft("?limit=1").headers[TOTAL]), rows


def test_50_200_241_the_total_is_exact_after_any_events_and_deletions(start):
    """Items 50, 211, 241: late events, starts that are corrected, deletions by age, further starts."""
    chance = random.Random(241)
    hub = start(MQMFT_KEEP_DAYS="1")
    number = at = 0
    for round_ in range(6):
        for _ in range(25):
            number += 1
            begun = BASE + at + chance.randrange(-90, 30) * SECOND
            if chance.random() < 0.4:
                # The first event is one of progress, whose time is later than the start.
                hub.tell(envelope(progressed(number), 10 * number, time=begun + chance.randrange(0, 90) * SECOND))
            hub.tell(envelope(ended(number, at=begun), 10 * number + 1, time=begun + 5))
            total, rows = counted(hub)
            assert total == rows
        at += 60 * SECOND
        hub = start(at=BASE + at, MQMFT_KEEP_DAYS="1")
        hub.sequence = 100_000 * (round_ + 1)
        total, rows = counted(hub)
        assert total == rows
    hub.service.operations.recorder._now = lambda: BASE + 86_400 * SECOND
    assert hub.service.operations.recorder.purge() > 0
    assert counted(hub)[0] == counted(hub)[1]
    hub.service.operations.recorder._now = lambda: BASE + 10 * 86_400 * SECOND
    while hub.service.operations.recorder.purge():
        pass
    assert counted(hub) == (0, 0)
    assert shown(start(reset=False)) == ([], 0)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_50_200_a_start_counts_what_commits_while_it_begins(start, clock):
    """Items 50 and 200: an insert that has begun before the start, and commits after it came, is hidden and counted."""
    hub = start()
    clock.at = BASE + 60 * SECOND
    inserted, go = threading.Event(), threading.Event()

    def insert():
        with hub.service.database.write() as connection:
            (together,) = {hub.handlers[type(event)] for event in [ended(1, at=BASE)]}
            together.handle(connection, [envelope(ended(1, at=BASE), 7)])
            inserted.set()
            go.wait(30)

    def begin():
        with hub.service.database.write() as connection:
            visibility.begin(connection, clock.at, None)

    threads = [threading.Thread(target=insert), threading.Thread(target=begin)]
    threads[0].start()
    assert inserted.wait(30)
    threads[1].start()
    with hub.service.database.read() as connection:
        waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'transfer'::regclass")
        while not connection.execute(waits).scalar():
            assert threads[1].is_alive()
    go.set()
    for thread in threads:
        thread.join(30)
    assert counted(hub) == (0, 0)
    assert shown(start(reset=False))[0] == [1]


def test_241_the_list_of_a_reset_cache_reads_its_index_alone(start):
    """Item 241: no count of rows; the moment bounds the index of the list, whatever lies before it."""
    hub = start()
    statements = []

    def note(_connection, _cursor, statement, *_more):
        statements.append(statement)

    sa.event.listen(hub.service.database.engine, "before_cursor_execute", note)
    made = hub.upload(1)
    statements.clear()
    hub.mft()
    hub.mft(f"/{made}")
    assert not [one for one in statements if "count(" in one.lower()]
    if hub.service.database.dialect == "sqlite":
        with hub.service.database.read() as connection:
            sql = "SELECT id FROM transfer WHERE started_at >= 5 ORDER BY started_at DESC, arrival DESC LIMIT 9"
            plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))
        assert "transfer_place" in plan
        assert "TEMP B-TREE" not in plan
    assert list(Filter(since=1).conditions())


def test_200_the_command_shows_all_of_the_record(start):
    """Item 200: the switch is about the API alone; what the operator's command reads is the whole record."""
    first = start()
    first.upload(1)
    second = start(at=BASE + 60 * SECOND)
    with second.service.database.read() as connection:
        assert [one.id for one in records.newest(connection, 5)] == [transfer_id(1)]


def test_152_a_request_that_is_repeated_after_a_start_can_be_read_by_its_address(start, clock):
    """Item 152: no second transfer is made; the address works for reading and stopping, and no list has it (200)."""
    first = start()
    key = {**CSRF, "Idempotency-Key": "k1"}
    paths = [first.mft(method="POST", json=REQUEST, headers=key).headers["Location"]]
    other = first.mft(method="POST", json=REQUEST, headers=CSRF).headers["Location"].rpartition("/")[2]
    clock.at += 60 * SECOND
    again = start()
    path = f"/{paths[0].rpartition('/')[2]}"
    assert again.mft(path).status_code == 404
    paths.append(again.mft(method="POST", json=REQUEST, headers=key).headers["Location"])
    assert paths[0] == paths[1]
    assert again.mft(path).json["transfer"][0]["status"]["state"] == "started"
    assert again.mft(f"/{other}").status_code == 404
    assert shown(again) == ([], 0)
    assert again.mft(path, method="DELETE", headers=CSRF).status_code == 202
    assert again.mft(path).json["transfer"][0]["status"]["state"] == "deleted"
    clock.at += 60 * SECOND
    assert start().mft(path).status_code == 404
