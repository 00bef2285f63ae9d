"""The metrics of a hub that runs, each with the value that its cause gives it."""

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.clients import DataProtector, Diplomat, HttpMft, Operator
from tests.servers.hub import OneMachine
from tests.servers.processes import wait_until

# Gauges are measured every ten seconds by a worker at low priority.
MEASURED = 45
COPY = (
    '<Task name="copy" type="Time"><Action>Copy</Action><Folders><Source>metered</Source>'
    "<Destination>copied</Destination></Folders><SettleSeconds>0.5</SettleSeconds><Schedule><Interval>1</Interval></Schedule></Task>"
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub with two web processes, whose metrics begin at zero."""
    made = OneMachine(tmp_path_factory.mktemp("hub"), "--workers", "2")
    try:
        yield made.start()
    finally:
        made.kill()


def samples(hub):
    """Return every sample of a scrape: its value by its name and labels."""
    text = requests.get(f"{hub.url}/metrics", timeout=20).text
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def value(hub, name, **labels):
    """Return the sum of the samples of a name that have these labels, 0 where there is none."""
    wanted = set(labels.items())
    return sum(number for (found, has), number in samples(hub).items() if found == name and wanted <= has)


def becomes(hub, expected, name, **labels):
    """Wait until a metric has a value."""
    wait_until(lambda: value(hub, name, **labels) == expected, within=MEASURED, every=0.5, what=f"{name} {labels}")


def test_requests_count_by_route_and_not_by_path(hub):
    """Files of any name count under one route, in the gateway and in the service, with a duration each."""
    client = HttpMft(hub.url)
    before = value(hub, "mft_requests_total", service="filestore-svc", status="201")
    for name in "abc":
        assert client.put(f"in/route-{name}", b"x").status_code == 201
    route = {"service": "filestore-svc", "route": "/2.0/files<tail:_tail>"}
    assert value(hub, "mft_requests_total", method="PUT", status="201", **route) - before == 3
    assert value(hub, "mft_request_seconds_count", **route) >= 3
    assert value(hub, "mft_requests_total", service="gateway", route="/2.0", status="201") >= 3
    assert not any("route-" in label for _name, labels in samples(hub) for _key, label in labels)


def test_transfers_count_by_protocol_and_state_with_their_bytes(hub):
    """An upload and a download are two transfers, whose bytes add up."""
    client, names = HttpMft(hub.url), ("mft_transfers_total", "mft_transfer_bytes_total", "mft_transfer_seconds_count")
    # Each upload so far is one transfer, recorded by and by.
    becomes(hub, value(hub, "mft_requests_total", service="filestore-svc", status="201"), names[0], protocol="http-mft")
    count, sent, timed = (value(hub, name, protocol="http-mft") for name in names)
    assert client.put("in/moved", b"x" * 1000).status_code == 201
    assert client.get("in/moved").content == b"x" * 1000
    becomes(hub, count + 2, "mft_transfers_total", protocol="http-mft")
    assert value(hub, "mft_transfer_bytes_total", protocol="http-mft") == sent + 2000
    assert value(hub, "mft_transfer_seconds_count", protocol="http-mft") == timed + 2
    assert value(hub, "mft_events_handled_total", service="mqmft-svc", type="transfer.ended.v1") >= 2


def test_sessions_count_as_they_open_and_close(hub):
    """A login adds one to both figures, and a logout takes one from those that are open."""
    of = {"service": "sertainty-svc"}
    opened = value(hub, "mft_sessions_opened_total", **of)
    _, (session,) = DataProtector(hub.url).call("hostOpenSession", "operator")
    assert value(hub, "mft_sessions_opened_total", **of) == opened + 1
    becomes(hub, 1, "mft_sessions_open", **of)
    DataProtector(hub.url).call("hostCloseSession", session=session)
    becomes(hub, 0, "mft_sessions_open", **of)


def test_jobs_count_as_they_wait_run_and_end(hub):
    """Of two jobs of one transaction the second waits; jobs that ended count by their completion status."""
    client = Diplomat(hub.url)
    job = {"service": "diplomat-svc", "kind": "job"}
    client.run("outboundSample", filename="301", ext="txt")
    client.run("failSample")
    becomes(hub, 1, "mft_work_ended_total", state="Successful", **job)
    becomes(hub, 2, "mft_work_ended_total", **job)
    assert value(hub, "mft_work_seconds_count", **job) == 2
    for _ in range(2):
        client.run("slowSample")
    becomes(hub, 1, "mft_queue_waiting", **job)
    assert value(hub, "mft_queue_running", **job) == 1
    wait_until(lambda: value(hub, "mft_queue_oldest_seconds", **job) > 0, within=MEASURED, every=0.5, what="the age")


def test_executions_count_as_they_end(hub):
    """A task that copies a file ends well again and again."""
    root = hub.data / "demo/protect"
    (root / "metered").mkdir()
    (root / "metered/one.txt").write_text("one")
    operator = Operator(hub)
    wait_until(lambda: operator("agentGetStatus")[0] == "Active", within=20, what="the agent")
    execution = {"service": "sertainty-svc", "kind": "execution"}
    with operator.active(COPY):
        wait_until(
            lambda: value(hub, "mft_work_ended_total", state="successful", **execution) > 0, within=30, what="it"
        )
    assert value(hub, "mft_work_seconds_count", **execution) > 0


def test_every_worker_measures_its_service(hub):
    """Each of five services has the time of its last measurement, and the size of its disk where it keeps files."""
    services = {"gateway", "filestore-svc", "diplomat-svc", "mqmft-svc", "sertainty-svc"}

    def measured(name):
        return {dict(labels)["service"] for found, labels in samples(hub) if found == name}

    wait_until(
        lambda: measured("mft_state_measured_timestamp_seconds") == services, within=MEASURED, what="all of them"
    )
    assert measured("mft_outbox_events") == measured("mft_outbox_oldest_seconds") == services
    assert measured("mft_disk_free_bytes") == services - {"gateway"}
    assert measured("mft_dead_letters") == services - {"gateway", "filestore-svc"}
    assert value(hub, "mft_disk_size_bytes") > value(hub, "mft_disk_free_bytes") > 0
