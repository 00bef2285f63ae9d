"""Transfers from and to queues as a worker carries them out, over a real RabbitMQ (91, 92, 225, 231)."""

import hashlib
import threading
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from mft_common.database.leases import LeaseLost
from mqmft_svc.operations.managed.reports import DELIVERED
from mqmft_svc.operations.managed.work import ManagedWork
from mqmft_svc.store.tables import WORKERS
from tests.servers.made_secrets import secret
from tests.servers.processes import free_port, wait_until
from tests.service.mqmft_svc.managed_hub import ended, recorded, row, submit, whole, worker

__all__ = ["recorded"]

PASSWORD = secret("password-of-a-broker")


@pytest.fixture
def user_url(rabbitmq_server, amqp_url):
    """The URL of a user of the test's vhost, whose password is a secret; it may declare nothing."""
    vhost = amqp_url.rpartition("/")[2]
    yield rabbitmq_server.add_user(vhost, PASSWORD, vhost)
    rabbitmq_server.drop_user(vhost)


@pytest.fixture
def hub(tmp_path, open_hub, runner, user_url):
    """A hub with an agent that has a broker, and others whose broker is of no use."""
    for folder in ("quay", "yard"):
        (tmp_path / folder).mkdir()
    agents = {
        "QUAY": {"qmgr": "QM1", "root": "file:quay"},
        "BANK": {"qmgr": "QM1", "root": "file:yard", "queues": {"env": "BROKER"}},
        "GONE": {"qmgr": "QM1", "root": "file:yard", "queues": {"env": "NOBODY"}},
        "REFUSED": {"qmgr": "QM1", "root": "file:yard", "queues": {"env": "WRONG"}},
        "VAULT": {"qmgr": "QM1", "root": "file:yard", "queues": {"env": "AGAIN"}},
    }
    port = urlsplit(user_url).port
    wrong = user_url.replace("amqp://", "amqp://x", 1)
    again = f"{user_url[:-1]}%{ord(user_url[-1]):02X}"
    environ = {
        "BROKER": user_url,
        "AGAIN": again,
        "NOBODY": user_url.replace(str(port), str(free_port())),
        "WRONG": wrong,
    }
    return open_hub({"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": agents}}, environ, runner=runner)


@pytest.mark.usefixtures("recorded")
def test_91_92_228_the_record_of_a_file_that_went_into_a_queue(hub, tmp_path, queue):
    """Items 92, 94, 179 and 228: what was asked for at once; at the end counts, lengths, ids and checksums."""
    (tmp_path / "quay" / "a").write_bytes(b"one\ntwo\n")
    options = {"d_type": "queue", "d_delimiterType": "binary", "d_delimiter": "x0A", "d_setMqProperties": True}
    id_ = submit(hub, ("a", "Q", options), destination="BANK")
    before = whole(hub, id_)["transferSet"]["item"][0]["destination"]
    assert before["queue"] == {
        "name": "Q@QM1", "messageCount": 0, "messageLength": 0, "messageOrGroupId": "", "delimiterType": "binary",
        "delimiter": "1", "delimiterPosition": "postfix", "includeDelimiterInMessage": False,
    }  # fmt: skip
    with worker(hub):
        found = ended(hub, id_)
    messages = queue.take()
    assert [body for _, body in messages] == [b"one", b"two"]
    assert found["status"]["description"] == "BFGRP0032I: All files were transferred."
    (item,) = found["transferSet"]["item"]
    assert (item["destination"]["type"], item["destination"]["actionIfExists"]) == ("queue", "")
    assert item["destination"]["queue"] == before["queue"] | {
        "messageCount": 2, "messageLength": 6, "messageOrGroupId": messages[0][0].headers["JMSXGroupID"],
    }  # fmt: skip
    assert set(item["destination"]) == {"type", "actionIfExists", "checksum", "queue"}
    assert item["source"]["file"]["size"] == found["transferSet"]["bytesSent"] == 8
    assert {properties.headers["WMQFTETransferId"] for properties, _ in messages} == {id_}
    assert {properties.headers["WMQFTEMqmdUser"] for properties, _ in messages} == {"mftadmin"}


@pytest.mark.usefixtures("recorded", "queue")
@pytest.mark.parametrize(
    ("agent", "name", "reason"),
    [
        ("GONE", "Q", "the message broker of the agent GONE does not answer"),
        ("REFUSED", "Q", "the message broker of the agent REFUSED refuses the user"),
        ("BANK", "NOPE", "the message broker of the agent BANK has no queue NOPE"),
        ("QUAY", "Q", "agent QUAY has no message broker"),
    ],
)
def test_231_without_a_broker_the_transfer_fails_and_says_so(hub, tmp_path, agent, name, reason):
    """Item 231: 202, then `failed` with the agent and the word broker in both descriptions."""
    (tmp_path / "quay" / "a").write_bytes(b"one")
    id_ = submit(hub, ("a", name, {"d_type": "queue"}), destination=agent, retryCount=0)
    with worker(hub):
        found = ended(hub, id_)
    assert found["status"]["state"] == "failed"
    assert reason in found["status"]["description"]
    assert found["status"]["description"].startswith("BFGRP003")
    (item,) = found["transferSet"]["item"]
    assert (item["status"]["state"], reason in item["status"]["description"]) == ("failed", True)
    assert item["status"]["description"].startswith("BFGTR0072E: ")


@pytest.mark.usefixtures("recorded")
def test_91_229_the_record_of_messages_that_became_a_file(hub, tmp_path, queue):
    """Items 91, 94, 95 and 229: what was taken, its checksum, and the file with its own."""
    queue.put(b"one", b"two")
    options = {"s_type": "queue", "s_delimiter": "x0A", "d_actionIfExists": "overwrite"}
    id_ = submit(hub, ("Q", "in/out", options), source="BANK", destination="QUAY")
    with worker(hub):
        found = ended(hub, id_)
    assert (tmp_path / "quay" / "in" / "out").read_bytes() == b"one\ntwo\n"
    (item,) = found["transferSet"]["item"]
    assert item["source"] == {
        "type": "queue", "disposition": "delete",
        "queue": {"name": "Q@QM1", "messageCount": 2, "setMqProperties": False},
        "checksum": {"method": "md5", "value": hashlib.md5(b"onetwo", usedforsecurity=False).hexdigest().upper()},
    }  # fmt: skip
    assert (item["destination"]["file"]["path"], item["destination"]["file"]["size"]) == ("in/out", 8)
    assert (found["status"]["state"], found["transferSet"]["bytesSent"]) == ("successful", 6)


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("agent", ["BANK", "VAULT"])
def test_229_messages_that_come_again_are_taken_by_no_other_transfer(hub, tmp_path, queue, agent):
    """Items 225 and 229: while one that has delivered them waits for its next try, another one waits too.

    Also that of another agent with the same broker, whatever its URL.
    """
    queue.put(b"one")
    first = submit(hub, ("Q", "first", {"s_type": "queue"}), source="BANK", destination="QUAY")
    cut_off(hub, first)
    assert (tmp_path / "quay" / "first").read_bytes() == b"one"
    other = submit(hub, ("Q", "other", {"s_type": "queue", "s_messageWaitTime": 30}), source=agent, destination="QUAY")
    with worker(hub):
        wait_until(lambda: row(hub, first).status == "over")
        queue.put(b"two")
        assert ended(hub, other)["status"]["state"] == "successful"
    assert whole(hub, first)["status"]["state"] == "successful"
    assert (tmp_path / "quay" / "first").read_bytes() == b"one"
    assert (tmp_path / "quay" / "other").read_bytes() == b"two"


def cut_off(hub, id_):
    """Let a worker carry a transfer out up to the report that its file is delivered, and die then."""
    database, configuration = hub.service.database, hub.service.follower
    work = ManagedWork(database, configuration, hub.service.runner, patience_s=5.0, now=hub.service.operations.now)
    with database.write() as connection:
        lease = WORKERS.sign_in(connection, "dying", 60.0)
    begun = []
    assert work.take(lease, lambda _key, _request, process: begun.append(process))
    (process,) = begun
    delivered = threading.Event()
    hear = process._on_message

    def stop_at_delivered(kind, data):
        if kind == DELIVERED:
            delivered.set()
            process.abandon("")
            raise LeaseLost("the worker has died")
        return hear(kind, data)

    process._on_message = stop_at_delivered
    process.run()
    assert delivered.is_set()
    with database.write() as connection:
        connection.execute(sa.text("UPDATE leases SET until = 0 WHERE key = :key"), {"key": lease.key})
