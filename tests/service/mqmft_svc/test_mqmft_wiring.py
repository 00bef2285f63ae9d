import json
import threading
from pathlib import Path

import pytest

from mft_common.clock import parse_iso
from mft_common.errors import ConfigError
from mft_common.events import (
    Agent,
    Item,
    LocalBus,
    Originator,
    Side,
    Totals,
    TransferEnded,
    TransferStarted,
)
from mft_common.process.background_tasks import start_tasks
from mqmft_svc import worker
from mqmft_svc.app import create_app
from tests.servers.processes import wait_until
from tests.service.mqmft_svc.mqmft_hub import ended, envelope, started, transfer_id

GOLDEN = Path(__file__).parents[2] / "golden" / "mqmft_svc"


def managed_transfer():
    """Return started and ended events of the golden transfer."""
    at = {name: parse_iso(f"2026-03-02T06:00:00.{name}Z") for name in ("004", "020", "119", "131")}
    md5 = "6f5902ac237024bdd0c176cb93063dc4"
    modified = parse_iso("2026-03-01T17:20:11.000Z")
    source = Side(type="file", path="report.txt", size=12, modified_at=modified, md5=md5, disposition="leave")
    destination = Side(path="in/report.txt", size=12, modified_at=at["119"], md5=md5, if_exists="error")
    head = {
        "transfer_id": "414D5120514D312020202020202020203F0C71A200000017",
        "protocol": "ibm-mq-mft",
        "source_agent": Agent(name="AGENT1", qmgr="QM1"),
        "destination_agent": Agent(name="AGENT2", qmgr="QM1"),
        "originator": Originator(account="mftadmin", host="quay-3"),
        "job_name": "nightly",
        "user_properties": {"order": "4711"},
        "submitted_at": at["004"],
    }
    item = Item(index=0, state="successful", source=source, destination=destination)
    totals = Totals(files=1, successes=1, bytes_sent=12)
    end = TransferEnded(
        **head, state="successful", began_at=at["020"], ended_at=at["131"], totals=totals, items=(item,)
    )
    start = TransferStarted(**head, state="started", totals=Totals(files=1))
    return envelope(start, 1, at["004"]), envelope(end, 2, at["131"])


def test_28_the_golden_transfer_is_shown_as_written(hub):
    """Items 28 and 61 to 92: everything of one managed transfer, member by member."""
    start, end = managed_transfer()
    hub.tell(start, end)
    expected = json.loads((GOLDEN / "transfer_everything.json").read_text())
    assert hub.mft(f"/{end.data.transfer_id}?attributes=*").json == expected


def test_203_206_events_of_any_producer_reach_the_record_by_the_bus(make_hub, runner):
    """Items 203 and 206: what a producer commits to its outbox is in the list soon after."""
    hub = make_hub(runner=runner)
    database = hub.service.database
    with database.write() as connection:
        hub.service.outbox.add(connection, started(1), ended(1), ended(2))
    stop = threading.Event()
    threads = start_tasks(hub.service.background_tasks(LocalBus({"mqmft-svc": database})), stop)
    try:
        wait_until(lambda: len(hub.mft().json["transfer"]) == 2, what="both transfers in the record")
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert hub.mft(f"/{transfer_id(1)}").json["transfer"][0]["status"]["state"] == "successful"


def test_a_running_worker_records_new_transfers_under_the_queue_manager_that_was_applied(make_hub):
    """Section 6.4: a transfer recorded before keeps its queue manager, one recorded afterwards has the new one."""
    worker_hub = make_hub(config={"ibm_mq_mft": {"coordination_qmgr": "QM1"}})
    before = worker_hub.upload(1)
    applied = make_hub(config={"ibm_mq_mft": {"coordination_qmgr": "QM2"}})
    after = worker_hub.upload(2)
    names = {
        each: applied.mft(f"/{each}?attributes=sourceAgent.qmgrName").json["transfer"][0]["sourceAgent"]["qmgrName"]
        for each in (before, after)
    }
    assert names == {before: "QM1", after: "QM2"}


def test_the_application_is_built_from_the_environment(tmp_path, monkeypatch, log):
    """On a machine of its own everything comes from the environment, and only the gateway gets in."""
    monkeypatch.setenv("MQMFT_DATABASE_URL", f"sqlite:///{tmp_path}/m.db")
    with pytest.raises(ConfigError, match="MFT_GATEWAY_URL"):
        create_app()
    monkeypatch.setenv("MFT_GATEWAY_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MFT_INTERNAL_KEYS", "k1,k2")
    client = create_app().test_client()
    assert client.get("/ibmmq/rest/v3/admin/mft/transfer").status_code == 401
    assert client.get("/readyz").status_code == 200
    with pytest.raises(ConfigError, match="MFT_AMQP_URL"):
        worker.main()


@pytest.mark.usefixtures("log")
def test_24_neither_web_process_nor_worker_starts_without_security_where_a_network_may_reach_it(tmp_path, monkeypatch):
    """Item 24: where nobody says that only this machine does."""
    monkeypatch.setenv("MQMFT_DATABASE_URL", f"sqlite:///{tmp_path}/m.db")
    monkeypatch.setenv("MQMFT_SECURITY", "off")
    for start in (create_app, worker.main):
        with pytest.raises(ConfigError, match="GATEWAY_LOOPBACK_ONLY"):
            start()
    assert list(tmp_path.iterdir()) == []
