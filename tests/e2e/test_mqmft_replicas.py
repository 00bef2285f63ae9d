"""Two replicas of mqmft-svc and of its worker on PostgreSQL and RabbitMQ answer alike, and share all work."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.servers.answering import Answering
from tests.servers.monitor_bodies import body as monitor_body
from tests.servers.monitor_bodies import config
from tests.servers.mqmft_replicas import CSRF, PASSWORD, PUBLIC, Replicas, body
from tests.servers.processes import wait_until

AGENTS = config()["ibm_mq_mft"]
GATE = {"type": "http", "method": "GET", "timeout": 60}
PAGES = (
    "", "?limit=3", "?limit=2&after={middle}", "?limit=2&before={middle}", "?after={middle}", "?before={middle}",
    "?attributes=*", "?attributes=statistics.retryCount,transferSet.item", "?attributes=nothing", "?limit=0", "?x=y",
    "/{middle}", "/{middle}?attributes=*", "/{middle}?attributes=transferSet.item.destination.file.size",
    "/{failed}?attributes=*", "/{waits}?attributes=*", "/0815", "/",
)  # fmt: skip
MONITORS = ("", "?attributes=*", "/WATCH", "/watch?attributes=*", "/NONE", "?name=W*&type=directory", "?state=stopped")
AGENT_PAGES = ("", "/QUAY", "/NONE", "?name=Y*", "?state=ready", "?attributes=qmgrConnection", "/YARD?attributes=*")
CALLS = ("", "?attributes=*", "?limit=1", "?after={call}", "?before={call}", "/{call}", "/{call}?attributes=*", "/0815")


@pytest.fixture(scope="module")
def receiver():
    """A receiver of calls."""
    made = Answering()
    yield made
    made.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory, postgresql_server, rabbitmq_server):
    """Two replicas and two workers."""
    url, vhost = postgresql_server.new_database(), rabbitmq_server.new_vhost()
    made = Replicas(
        tmp_path_factory.mktemp("replicas"),
        database_url=url,
        amqp_url=rabbitmq_server.url(vhost),
        document={"ibm_mq_mft": AGENTS},
        MQMFT_CALL_HOSTS="127.0.0.1",
    )
    for name in ("quay/in", "yard"):
        (made.data / name).mkdir(parents=True)
    (made.data / "quay/a").write_bytes(b"content")
    try:
        made.start()
        made.worker()
        made.worker()
        yield made
    finally:
        made.kill()
        postgresql_server.drop_database(url)
        rabbitmq_server.drop_vhost(vhost)


@pytest.fixture
def one(hub):
    """The first replica."""
    return hub.both[0]


@pytest.fixture
def two(hub):
    """The second replica."""
    return hub.both[1]


def shown(answer):
    """Return all of an answer but what belongs to one request: its date and its id."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return answer.status_code, {k: v for k, v in headers.items() if k not in ("date", "x-request-id")}, answer.content


def location(answer, status=202):
    """Return where an answer says that the new thing is."""
    assert answer.status_code == status, answer.text
    return answer.headers["Location"]


def scheduled():
    """Return the body of a transfer that waits for a year."""
    return {**body("QUAY", "YARD", ("a", "later")), "scheduleTransfer": {"startTime": "2099-01-01T00:00"}}


def test_each_get_has_the_same_bytes_at_both_replicas(hub, one, two, receiver):
    """Lists and single ones, with attributes, filters and pages, in each version, and every error."""
    done = [one.submit(body("QUAY", "YARD", ("a", f"alike/{number}"))) for number in range(4)]
    failed, waits = two.submit(body("QUAY", "YARD", ("none", "x"))), one.submit(scheduled())
    location(one.ask("monitor", "POST", json=monitor_body()), 201)
    asked = {"agent": {"name": "QUAY", "qmgrName": "QM1"}, "call": {"type": "http", "url": f"{receiver.url}/"}}
    calls = [location(each.ask("call", "POST", json=asked)).rpartition("/")[2] for each in (one, two, one)]
    for id_ in (*done, failed):
        two.ended(id_)
    wait_until(lambda: {one_["status"]["state"] for one_ in two.ask("call").json()["call"]} == {"successful"})
    wait_until(lambda: {agent["state"] for agent in one.ask("agent").json()["agent"]} == {"ready"}, within=60)
    names = {"middle": done[2], "failed": failed, "waits": waits, "call": calls[1]}
    paths = itertools.chain(
        (("transfer" + page, version) for page in PAGES for version in ("v1", "v2", "v3")),
        (("monitor" + page, version) for page in MONITORS for version in ("v1", "v3")),
        (("call" + page, version) for page in CALLS for version in ("v2", "v3")),
        (("agent" + page, version) for page in AGENT_PAGES for version in ("v1", "v3")),
    )
    codes = set()
    for page, version in paths:
        # The age of a probe grows from one answer to the other.
        within = 60 if page.startswith("agent") else 0
        path = page.format(**names)
        found = []

        def alike(path=path, version=version, found=found):
            found[:] = [shown(each.ask(path, version=version)) for each in (one, two)]
            return found[0] == found[1]

        wait_until(alike, within=within, what=f"the same answer to {version} {path}: {found}")
        codes.add(found[0][0])
    assert codes == {200, 400, 404}
    assert shown(one.send("login", auth=("mftadmin", PASSWORD))) == shown(
        two.send("login", auth=("mftadmin", PASSWORD))
    )
    one.ask("monitor/WATCH", "DELETE")


def test_what_one_replica_has_accepted_the_other_shows_at_once(hub, one, two):
    """Transfers, monitors and deletions, each asked for in the moment of the answer, and the total with them."""
    for number in range(20):
        here, there = (one, two) if number % 2 else (two, one)
        before = int(there.ask("transfer?limit=1").headers["ibm-mq-rest-mft-total-transfers"])
        id_ = here.submit(body("QUAY", "YARD", ("a", f"at-once/{number}")))
        listed = there.ask("transfer?limit=1")
        assert listed.json()["transfer"][0]["id"] == id_
        assert int(listed.headers["ibm-mq-rest-mft-total-transfers"]) == before + 1
        assert there.transfer(id_)["id"] == id_
        name = f"M{number}"
        assert location(here.ask("monitor", "POST", json=monitor_body(name)), 201).startswith(PUBLIC)
        assert there.ask(f"monitor/{name}").status_code == 200
        assert there.ask("monitor", "POST", json=monitor_body(name)).json()["error"][0]["msgId"] == "MQWB0977E"
        assert there.ask(f"monitor/{name}/history", "DELETE").status_code == 204
        assert there.ask(f"monitor/{name}", "DELETE").status_code == 204
        assert here.ask(f"monitor/{name}").status_code == 404


def test_a_repeated_idempotency_key_has_one_answer_at_both_replicas(hub, one, two, receiver):
    """One after the other and both at once; transfers and calls."""
    asked = {"agent": {"name": "QUAY", "qmgrName": "QM1"}, "call": {"type": "http", "url": f"{receiver.url}/"}}
    bodies = {"transfer": body("QUAY", "YARD", ("a", "keys")), "call": asked}
    with ThreadPoolExecutor(8) as pool:
        for kind, number in itertools.product(bodies, range(5)):
            headers = {**CSRF, "Idempotency-Key": f"{kind} {number}"}

            def send(replica, kind=kind, headers=headers):
                return location(replica.ask(kind, "POST", json=bodies[kind], headers=headers))

            found = set(pool.map(send, (one, two) * 4)) | {send(one), send(two)}
            assert len(found) == 1
            assert found.pop().startswith(f"{PUBLIC}/ibmmq/rest/v3/admin/mft/{kind}/")


def test_a_login_at_one_replica_holds_at_the_other_until_it_is_closed(hub, one, two):
    """The token, its role, CSRF, and the end of the session, which counts at once."""
    answer = one.send("login", "POST", json={"username": "mftadmin", "password": PASSWORD}, headers={})
    assert answer.status_code == 204
    token = {"LtpaToken2": answer.cookies["LtpaToken2"]}
    assert two.send("login", cookies=token).json() == one.send("login", cookies=token).json()
    assert two.send("admin/mft/transfer", cookies=token).status_code == 200
    for each in (one, two):
        refused = each.send("admin/mft/transfer", "POST", json=scheduled(), cookies=token, headers={})
        assert (refused.status_code, refused.json()["error"][0]["msgId"]) == (401, "MQWB0100E")
    assert location(two.send("admin/mft/transfer", "POST", json=scheduled(), cookies=token))
    assert two.send("login", "DELETE", cookies=token).status_code == 204
    for each in (one, two):
        refused = each.send("admin/mft/transfer", cookies=token)
        assert (refused.status_code, refused.json()["error"][0]["msgId"]) == (401, "MQWB0112E")


def test_work_of_either_worker_is_stopped_at_either_replica(hub, one, two, receiver):
    """Running transfers of both workers end as cancelled within 5 s, waiting ones as deleted, and no file appears."""
    receiver.gate.clear()
    calls = {"preSourceCall": {**GATE, "url": f"{receiver.url}/wait"}}
    before = len(receiver.requests)
    try:
        ids = [one.submit(body("QUAY", "YARD", ("a", f"never/{number}"), **calls)) for number in range(4)]
        wait_until(lambda: len(receiver.requests) == before + 4, what="calls that wait for their answers")
        for number, id_ in enumerate(ids):
            assert (one, two)[number % 2].ask(f"transfer/{id_}", "DELETE").status_code == 202
        assert [two.ended(id_, within=8)["status"]["state"] for id_ in ids] == ["cancelled"] * 4
    finally:
        receiver.gate.set()
    for here, there in ((one, two), (two, one)):
        id_ = here.submit(scheduled())
        assert there.ask(f"transfer/{id_}", "DELETE").status_code == 202
        assert here.transfer(id_)["status"]["state"] == "deleted"
        again = here.ask(f"transfer/{id_}", "DELETE")
        assert again.json()["error"][0]["msgId"] == "MQWB0976E"
    assert not (hub.data / "yard/never").exists()


def test_two_workers_trigger_each_file_of_a_monitor_once_and_forget_its_history_once(hub, one, two):
    """Each file makes one transfer; after the history was forgotten at the other replica each makes one more."""
    names = [f"f{number}" for number in range(12)]
    location(one.ask("monitor", "POST", json=monitor_body("TWICE")), 201)
    for name in names:
        (hub.data / "quay/in" / name).write_bytes(name.encode())

    def arrived():
        """Return the files of the transfers of the monitor, one name for each."""
        found = [each for each in two.ask("transfer?attributes=*").json()["transfer"] if each["job"]["name"] == "TWICE"]
        assert all(each["transferSet"]["item"] for each in found)
        done = [each for each in found if each["statistics"]["endTime"]]
        return sorted(each["transferSet"]["item"][0]["source"]["file"]["path"].rpartition("/")[2] for each in done)

    wait_until(lambda: len(arrived()) >= 12, within=60, every=0.2, what="a transfer for each file")
    assert arrived() == sorted(names)
    assert two.ask("monitor/TWICE/history", "DELETE").status_code == 204
    wait_until(lambda: len(arrived()) >= 24, within=60, every=0.2, what="another transfer for each file")
    (hub.data / "quay/in/last").write_bytes(b"seen by a later poll")
    wait_until(lambda: "last" in arrived(), within=60, every=0.2, what="the transfer of the last file")
    assert arrived() == sorted([*names * 2, "last"])
    assert one.ask("monitor/TWICE", "DELETE").status_code == 204


def test_two_workers_run_each_time_of_a_schedule_once(hub, one, two):
    """Two minutes, two transfers, and no third one when the schedule is over."""
    start = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    times = {"startTime": start, "timeBase": "utc", "occurrenceInterval": "minutes", "occurrenceCount": 2}
    asked = {**body("QUAY", "YARD", ("a", "minutes")), "job": {"name": "MINUTES"}, "scheduleTransfer": times}
    id_ = one.submit(asked)

    def occurrences():
        """Return the states of the transfers of the schedule."""
        found = two.ask("transfer?limit=10000&attributes=job.name").json()["transfer"]
        return [each["status"]["state"] for each in found if each["job"]["name"] == "MINUTES"]

    hub.let_next_time_come(id_)
    wait_until(lambda: occurrences() == ["successful"], what="the end of the first transfer")
    hub.let_next_time_come(id_)
    mine = "SELECT count(*) FROM schedule WHERE submission LIKE '%MINUTES%'"
    wait_until(lambda: hub.rows(mine) == [(0,)], what="the end of the schedule")
    # Its file is there already.
    wait_until(lambda: "failed" in occurrences(), what="the end of the second transfer")
    assert sorted(occurrences()) == ["failed", "successful"]
    assert (
        one.ask("transfer?limit=10000&attributes=job.name").content
        == two.ask("transfer?limit=10000&attributes=job.name").content
    )
