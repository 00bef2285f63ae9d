"""Managed transfers as a worker carries them out, over both kinds of database: 4.C and 4.D with 151 and 180."""

import dataclasses
import hashlib
import json
import os

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mft_common.clock import now_ms
from mft_common.events import LocalBus
from mft_common.process.runner import messages
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.operations.managed.owned import OwnedTransfer
from mqmft_svc.operations.managed.work import ManagedWork
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import OUTBOX, WORKERS, managed
from tests.servers.processes import wait_until
from tests.service.mqmft_svc.managed_hub import (
    AGENTS,
    CSRF,
    ended,
    files,
    hub,
    left,
    make,
    peer,
    recorded,
    row,
    running,
    state,
    stop,
    submit,
    whole,
    worker,
)

__all__ = ["hub", "make", "peer", "recorded"]


@pytest.mark.usefixtures("recorded")
def test_216_223_a_file_and_a_tree_arrive_with_their_checksums(hub, tmp_path):
    """Items 86 to 97, 218, 223: `successful`, one item a file, sizes, md5 of both sides, and the record's times."""
    content = os.urandom(100_000)
    (tmp_path / "quay/report.txt").write_bytes(content)
    (tmp_path / "quay/d/deep").mkdir(parents=True)
    (tmp_path / "quay/d/a").write_bytes(b"a")
    (tmp_path / "quay/d/deep/b").write_bytes(b"bb")
    id_ = submit(
        hub,
        ("report.txt", "in/report.txt"),
        ("d", "tree", {"s_type": "directory", "s_recursive": True, "d_type": "directory"}),
    )
    with worker(hub):
        found = ended(hub, id_)
    assert found["status"]["state"] == "successful"
    assert found["status"]["description"].startswith("BFGRP0032I: ")
    assert {name: found["statistics"][name] for name in found["statistics"] if name.startswith("number")} == {
        "numberOfFiles": 3, "numberOfFileSuccesses": 3, "numberOfFileFailures": 0, "numberOfFileWarnings": 0,
    }  # fmt: skip
    assert found["statistics"]["retryCount"] == 0
    assert found["transferSet"]["bytesSent"] == 100_003
    assert found["transferSet"]["startTime"] != ""
    item = found["transferSet"]["item"][0]
    md5 = {"method": "md5", "value": hashlib.md5(content, usedforsecurity=False).hexdigest().upper()}
    assert (item["source"]["checksum"], item["destination"]["checksum"]) == (md5, md5)
    assert (item["source"]["file"]["size"], item["destination"]["file"]["size"]) == (100_000, 100_000)
    assert item["destination"]["file"]["path"] == "in/report.txt"
    assert files(tmp_path / "yard") == {"in/report.txt": content, "tree/a": b"a", "tree/deep/b": b"bb"}
    assert len(files(tmp_path / "quay")) == 3
    assert row(hub, id_).status == "over"


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("items", "state", "outcome"),
    [
        ([("a", "a"), ("missing", "b")], "partiallySuccessful", "BFGRP0033I"),
        ([("missing", "b")], "failed", "BFGRP0034I"),
        ([("a", "there")], "failed", "BFGRP0034I"),
        ([("../secret", "b")], "failed", "BFGRP0034I"),
    ],
)
def test_215_each_end_has_its_cause(hub, tmp_path, items, state, outcome):
    """Items 97, 215, 217, 219, 221: a part arrives, nothing does, the target exists, the path leaves the root."""
    (tmp_path / "quay/a").write_bytes(b"a")
    (tmp_path / "yard/there").write_bytes(b"before")
    id_ = submit(hub, *items)
    with worker(hub):
        found = ended(hub, id_)
    assert (found["status"]["state"], found["status"]["description"][:10]) == (state, outcome)
    assert found["statistics"]["numberOfFiles"] == len(items)
    assert (tmp_path / "yard/there").read_bytes() == b"before"


@pytest.mark.usefixtures("recorded")
def test_the_end_of_a_managed_transfer_is_a_line_of_the_services_log(hub, tmp_path):
    """It has the state and the reason of the first file that failed; a success is no warning."""
    (tmp_path / "quay/a").write_bytes(b"a")
    with capture_logs() as lines, worker(hub):
        states = {submit(hub, (name, "b")): level for name, level in (("a", "info"), ("missing", "warning"))}
        for id_ in states:
            ended(hub, id_)
        wait_until(lambda: sum(line["event"] == "transfer.ended" for line in lines) == 2, what="both lines")
    found = {line["transfer"]: line for line in lines if line["event"] == "transfer.ended"}
    assert {id_: line["log_level"] for id_, line in found.items()} == states
    assert {(line["state"], line["reason"]) for line in found.values()} == {
        ("successful", ""), ("failed", "BFGIO0001E: missing: does not exist."),
    }  # fmt: skip


@pytest.mark.usefixtures("recorded")
def test_224_a_source_is_deleted_after_its_file_arrived(hub, tmp_path):
    """Item 224: `disposition: delete`."""
    (tmp_path / "quay/a").write_bytes(b"a")
    id_ = submit(hub, ("a", "a", {"s_disposition": "delete"}))
    with worker(hub):
        found = ended(hub, id_)
    assert (found["status"]["state"], found["statistics"]["numberOfFileSuccesses"]) == ("successful", 1)
    assert files(tmp_path / "quay") == {}


@pytest.mark.usefixtures("recorded")
def test_220_transfers_go_by_priority_then_age_and_as_the_agent_has_room(hub, tmp_path):
    """Item 220: one at a time from this agent; the higher priority first, then the order of the requests."""
    for name in "abcd":
        (tmp_path / "quay" / name).write_bytes(name.encode())
    ids = {
        name: submit(hub, (name, name), source="ONE", priority=number)
        for name, number in zip("abcd", (0, 5, 0, 9), strict=True)
    }
    with worker(hub):
        times = {name: ended(hub, id_)["transferSet"]["startTime"] for name, id_ in ids.items()}
    assert sorted(times, key=times.get) == ["d", "b", "a", "c"]


@pytest.mark.usefixtures("recorded")
def test_220_transfers_that_wait_for_an_agent_hold_up_none_of_other_agents(hub, tmp_path, peer):
    """Item 220: hundreds of a higher priority wait for the one place of an agent, whose transfer hangs."""
    (tmp_path / "quay/a").write_bytes(b"a")
    ids = [submit(hub, ("a", "a"), source="HANGS", priority=9)]
    with hub.service.database.write() as connection:
        one = store.find(connection, ids[0])
        for number in range(201):
            ids.append(f"{number:048X}")
            store.insert(connection, dataclasses.replace(one, id=ids[-1]))
    id_ = submit(hub, ("a", "a"))
    with worker(hub):
        wait_until(peer.reached.is_set)
        assert ended(hub, id_)["status"]["state"] == "successful"
        assert sorted({row(hub, one).status for one in ids}) == ["queued", "running"]


@pytest.mark.usefixtures("recorded")
def test_180_a_transfer_that_runs_is_cancelled_and_leaves_nothing(hub, tmp_path):
    """Item 180: `cancelled` within 5 s, no unfinished file stays, and a second request is refused."""
    (tmp_path / "quay/large").write_bytes(bytes(512 << 20))
    id_ = submit(hub, ("large", "large"))
    with worker(hub):
        wait_until(lambda: row(hub, id_).status == "running")
        stop(hub, id_)
        found = ended(hub, id_, within=5)
        wait_until(lambda: row(hub, id_).status == "over" and not left(hub))
    assert found["status"]["state"] == "cancelled"
    assert [item["status"]["state"] for item in found["transferSet"]["item"]] == ["cancelled"]
    assert files(tmp_path / "yard") == {}
    answer = hub.mft(f"/{id_}", method="DELETE", headers=CSRF)
    assert answer.json["error"][0]["msgId"] == "MQWB0976E"


@pytest.mark.usefixtures("recorded")
def test_180_a_transfer_whose_endpoint_hangs_is_cancelled_within_5_s(hub, peer):
    """Item 180: the far side accepts the connection and never says a word; the child is killed."""
    id_ = submit(hub, ("a", "a"), source="HANGS")
    with worker(hub):
        wait_until(peer.reached.is_set)
        stop(hub, id_)
        assert ended(hub, id_, within=5)["status"]["state"] == "cancelled"


@pytest.mark.usefixtures("recorded")
def test_170_225_an_endpoint_that_is_away_means_recovery_until_its_time_is_over(hub):
    """Items 79, 170, 225: `inProgress` while it waits, `retryCount` grows, and then `failed`; 0 fails at once."""
    at_once = submit(hub, ("a", "a"), source="AWAY", recoveryTimeout=0, retryCount=0)
    waits = submit(hub, ("a", "a"), source="AWAY", recoveryTimeout=1, retryCount=0)
    for_ever = submit(hub, ("a", "a"), source="AWAY", retryCount=0)
    with worker(hub):
        found = ended(hub, at_once)
        assert (found["status"]["state"], found["statistics"]["retryCount"]) == ("failed", 0)
        assert found["transferSet"]["item"][0]["status"]["state"] == "failed"
        found = ended(hub, waits)
        assert (found["status"]["state"], found["statistics"]["retryCount"]) == ("failed", 1)
        wait_until(lambda: whole(hub, for_ever)["statistics"]["retryCount"] >= 1)
        assert whole(hub, for_ever)["status"]["state"] == "inProgress"
        stop(hub, for_ever)
        assert ended(hub, for_ever)["status"]["state"] == "cancelled"


@pytest.mark.parametrize("arrives", [False, True])
def test_170_recovery_goes_on_until_a_file_arrives(hub, arrives):
    """Items 170 and 225: one that may become visible and does not ends no recovery, whose time is over then."""
    id_ = submit(hub, ("a", "b"), recoveryTimeout=60)
    with hub.service.database.write() as connection:
        lease = WORKERS.sign_in(connection, "worker", 60)
        taken = dataclasses.replace(store.take(connection, id_, lease.owner, 1), recovering_since=1)
    file = ManagedFile(position=0, item=0, source="a", destination="b", state="moving")
    owned = OwnedTransfer(hub.service.database, taken, now_ms)
    owned.found([file.to_json()])
    assert owned.may_commit(lease, 0, None)
    if arrives:
        owned.note(file.changed(state="successful").to_json())
    owned.recover("the endpoint is away")
    assert (row(hub, id_).status, left(hub)) == (("queued", {}) if arrives else ("over", {id_: 0}))


@pytest.mark.parametrize("step", [-3_600_000, 999, 1000])
def test_226_progress_is_told_once_a_second_whatever_the_clock_does(hub, step):
    """Items 203 and 226: an hour that is set back is not one without news."""
    id_ = submit(hub, ("a", "b"))
    with hub.service.database.write() as connection:
        taken = store.take(connection, id_, "worker", 1)
    file = ManagedFile(position=0, item=0, source="a", destination="b", state="moving")
    times = [now_ms()]
    owned = OwnedTransfer(hub.service.database, taken, lambda: times[-1])
    owned.found([file.to_json()])
    times[0] += 1000
    owned.progress(0, 1)
    times.append(times[-1] + step)
    owned.progress(0, 2)
    with hub.service.database.read() as connection:
        assert store.files_of(connection, id_)[0].bytes_done == (1 if step == 999 else 2)


@pytest.mark.usefixtures("recorded")
def test_225_a_worker_that_dies_is_followed_by_another_one(hub, tmp_path):
    """Item 225: another one goes on once its lease lapsed, `retryCount` is 1, and the file is whole and there once."""
    (tmp_path / "quay/a").write_bytes(b"a")
    id_ = submit(hub, ("a", "a"))
    with hub.service.database.write() as connection:
        connection.execute(sa.update(managed).values(status="running", began_at=1, owner="dead", fence=1))
        WORKERS.sign_in(connection, "dead", 60.0)
        connection.execute(sa.text("UPDATE leases SET until = 0"))
    with worker(hub):
        found = ended(hub, id_)
    assert (found["status"]["state"], found["statistics"]["retryCount"]) == ("successful", 1)
    assert files(tmp_path / "yard") == {"a": b"a"}


def test_225_a_worker_whose_lease_has_lapsed_takes_no_transfer(hub):
    """Items 170 and 225: with a `recoveryTimeout` of 0 another one would end it as failed before it was ever tried."""
    id_ = submit(hub, ("a", "a"), recoveryTimeout=0)
    service = hub.service
    work = ManagedWork(service.database, service.follower, service.runner, patience_s=1, now=now_ms)
    begun = []
    for until, taken in (("0", False), ("until", True)):
        with service.database.write() as connection:
            lease = WORKERS.sign_in(connection, f"worker {until}", 60.0)
            connection.execute(sa.text(f"UPDATE leases SET until = {until}"))
        assert work.take(lease, lambda key, *_rest: begun.append(key)) is taken
    assert begun == [id_]


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_11_two_workers_carry_out_each_transfer_once(hub, make, tmp_path):
    """Section 6.4: two workers share the queue; each transfer has one end, and no file is delivered twice."""
    ids = []
    for number in range(20):
        (tmp_path / f"quay/f{number}").write_bytes(b"x" * number)
        ids.append(submit(hub, (f"f{number}", f"f{number}", {"d_actionIfExists": "error"})))
    with worker(hub), worker(make()):
        states = [ended(hub, id_)["status"]["state"] for id_ in ids]
    assert states == ["successful"] * 20
    with hub.service.database.read() as connection:
        ends = connection.execute(
            sa.select(sa.func.count()).select_from(OUTBOX.table).where(OUTBOX.table.c.type == "transfer.ended.v1")
        ).scalar_one()
    assert ends == 20


@pytest.mark.usefixtures("recorded")
def test_155_a_transfer_whose_agent_is_not_configured_any_more_fails(hub, make):
    """The configuration was applied anew while the transfer waited."""
    id_ = submit(hub, ("a", "a"), source="ONE")
    later = make({name: entry for name, entry in AGENTS.items() if name != "ONE"})
    with worker(later):
        found = ended(hub, id_)
    assert found["status"]["state"] == "failed"
    assert "not configured any more" in found["status"]["description"]


@pytest.mark.usefixtures("recorded")
def test_151_a_request_that_no_process_takes_fails(hub, monkeypatch):
    """Items 150, 151: names of characters that grow sixfold on their way to the child; the transfer has one end."""
    monkeypatch.setattr(messages, "LARGEST", 4 << 20)
    item = {"source": {"name": "\x7f" * 4096}, "destination": {"name": "a"}}
    agents = {side: {"name": "QUAY", "qmgrName": "QM1"} for side in ("sourceAgent", "destinationAgent")}
    body = json.dumps({**agents, "transferSet": {"item": [item] * 200}}, ensure_ascii=False)
    answer = hub.mft(method="POST", data=body, content_type="application/json", headers=CSRF)
    assert answer.status_code == 202
    id_ = answer.headers["Location"].rpartition("/")[2]
    with worker(hub):
        found = ended(hub, id_)
    assert found["status"]["state"] == "failed"
    assert "more bytes than a process takes" in found["status"]["description"]


def test_220_a_clock_that_is_set_back_lets_no_new_transfer_wait(hub):
    """An hour that is gone through twice is none in which nothing is moved."""
    submit(hub, ("a", "a"))
    service = hub.service
    work = ManagedWork(
        service.database, service.follower, service.runner, patience_s=1, now=lambda: now_ms() - 3_600_000
    )
    assert work.is_waiting()


@pytest.mark.usefixtures("recorded")
def test_184_an_agent_is_active_while_a_transfer_runs(hub, tmp_path):
    """Item 184: both agents of a running transfer, and `ready` again after it."""
    (tmp_path / "quay/large").write_bytes(bytes(256 << 20))
    with running([task for task in hub.service.background_tasks(LocalBus({})) if task.name.endswith("agents")]):
        wait_until(lambda: state(hub, "QUAY") == "ready")
        id_ = submit(hub, ("large", "large"))
        with worker(hub):
            wait_until(lambda: row(hub, id_).status == "running")
            assert (state(hub, "QUAY"), state(hub, "YARD")) == ("active", "active")
            stop(hub, id_)
            ended(hub, id_)
        assert state(hub, "QUAY") == "ready"


@pytest.mark.usefixtures("recorded")
def test_a_worker_that_stops_hands_its_transfers_back(hub, make, tmp_path):
    """The next worker goes on at once from the checkpoint, without a retry."""
    (tmp_path / "quay/large").write_bytes(bytes(512 << 20))
    id_ = submit(hub, ("large", "large"))
    with worker(hub):
        wait_until(lambda: row(hub, id_).status == "running")
    assert (row(hub, id_).status, row(hub, id_).retries) == ("queued", 0)
    with worker(make()):
        found = ended(hub, id_)
    assert (found["status"]["state"], found["statistics"]["retryCount"]) == ("successful", 0)
    assert (tmp_path / "yard/large").stat().st_size == 512 << 20
