"""Monitors of queues of a real RabbitMQ, over both kinds of database (187)."""

import pytest

from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.store import managed
from tests.servers.monitor_bodies import body, config
from tests.servers.monitored import TOKEN, create, transfers
from tests.servers.processes import free_port


@pytest.fixture
def hub(tmp_path, open_hub, runner, amqp_url):
    (tmp_path / "yard").mkdir()
    given = config({"QUAY": "file:quay", "YARD": "file:yard", "GONE": "file:yard", "NONE": "file:yard"})
    given["ibm_mq_mft"]["agents"]["QUAY"] |= {"queues": {"env": "BROKER"}, "message_groups": True}
    given["ibm_mq_mft"]["agents"]["YARD"]["queues"] = {"env": "BROKER"}
    given["ibm_mq_mft"]["agents"]["GONE"]["queues"] = {"env": "GONE"}
    environ = {"BROKER": amqp_url, "GONE": f"amqp://guest:guest@127.0.0.1:{free_port()}/"}
    return open_hub(given, environ, runner=runner)


@pytest.fixture
def polls(open_polls, hub):
    return open_polls(hub)


def queue_body(condition, name="WATCH", queue="Q", agent="QUAY", **changes):
    """Return the body of a monitor whose transfer takes messages of its queue into a file."""
    return body(
        name,
        type="queue",
        agentName=agent,
        resource={"name": queue},
        triggerCondition={"type": condition},
        transferDefinition__transferSet={
            "item": [
                {
                    "source": {"name": "${QueueName}", "type": "queue"},
                    "destination": {"name": "got/${QueueName}-${CurrentTimeStamp}"},
                }
            ]
        },
        **changes,
    )


def ended(hub, *states):
    """End the transfers that are under way as a worker does, with files in these states; the record hears of it later.

    Without states there is one file, which has arrived.
    """
    files = [
        ManagedFile(position=place, item=0, source="Q", destination=f"{place}", state=state)
        for place, state in enumerate(states or ("successful",))
    ]
    with hub.service.database.write() as connection:
        for id_ in connection.exec_driver_sql("SELECT id FROM managed WHERE status <> 'over'").scalars().all():
            managed.put_files(connection, id_, files)
            managed.update(connection, id_, status="over")


def failed(hub):
    """Let the transfers that are under way fail: their messages are in the queue again."""
    ended(hub, "failed")


def purged(hub):
    """Delete the transfers, of which the record alone has it that they failed."""
    with hub.service.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM managed")
        connection.exec_driver_sql("UPDATE transfer SET state = 'failed'")


@pytest.mark.parametrize(
    ("end", "count"),
    [
        (failed, 1),
        (purged, 1),
        (lambda hub: ended(hub, "warning", "failed"), 1),
        (lambda hub: ended(hub, "moving"), 1),
        (lambda hub: ended(hub, "successful", "warning"), 2),
    ],
    ids=["failed", "purged", "partly", "stopped", "warning"],
)
def test_187_whether_a_transfer_failed_is_known_before_the_record_has_its_end(hub, polls, queue, end, count):
    """Items 187 and 229: what has brought an item to no end has given messages back, and is repeated later."""
    create(hub, queue_body("queueNotEmpty"))
    queue.put(b"1")
    polls.poll(times=2)
    assert len(transfers(hub)) == 1
    end(hub)
    polls.poll(times=3)
    assert len(transfers(hub)) == count
    polls.poll(times=5)
    assert len(transfers(hub)) == 2


def test_187_a_transfer_that_failed_is_repeated_later_and_later(hub, polls, queue, log):
    """Items 187 and 229: a queue may drop messages that come back too often; a success ends the pauses."""
    create(hub, queue_body("queueNotEmpty"))
    queue.put(b"1")
    waited = []
    for count in range(1, 5):
        seconds = 0
        while len(transfers(hub)) < count:
            polls.poll()
            seconds += 1
        waited.append(seconds)
        failed(hub)
    # The pauses after an error of a look are 5, 10 and 20 s.
    assert waited[0] <= 1
    assert [5 <= waited[1] < 10, 15 <= waited[2] < 25, 35 <= waited[3] < 50] == [True] * 3, waited
    assert f"its last transfer, {transfers(hub)[-2]['id']}, has ended without success" in log.getvalue()
    while len(transfers(hub)) < 5:
        polls.poll(30)
    ended(hub)
    polls.poll(2)
    assert len(transfers(hub)) == 6


@pytest.mark.parametrize("name", ["Q", "Q@QM1"])
def test_187_a_queue_that_is_not_empty_begins_a_transfer(hub, polls, queue, name):
    """Item 187: one at a time, and again where messages are left or have come once it has ended."""
    create(hub, queue_body("queueNotEmpty", queue=name))
    polls.poll(times=2)
    assert transfers(hub) == []
    queue.put(b"1", b"2")
    polls.poll(times=4)
    (first,) = transfers(hub)
    assert first["transferSet"]["item"][0]["source"]["queue"]["name"] == "Q@QM1"
    assert first["transferSet"]["item"][0]["destination"]["file"]["path"].startswith("got/Q-2")
    assert (first["status"]["state"], queue.count()) == ("started", 2)
    ended(hub)
    polls.poll(5, times=4)
    assert len(transfers(hub)) == 2
    assert queue.bodies() == [b"1", b"2"]
    ended(hub)
    polls.poll(5, times=4)
    assert len(transfers(hub)) == 2
    queue.put(b"3")
    polls.poll(5, times=2)
    assert len(transfers(hub)) == 3


def test_187_a_group_begins_a_transfer_once_it_is_complete(hub, polls, queue):
    """Item 187: whatever the order of its messages and of other ones; the look leaves them all in the queue."""
    create(hub, queue_body("completeMessageGroups"))
    queue.put(b"alone")
    queue.put_group("a", b"1", b"2", last=False)
    queue.put_group("b", b"2", first=2)
    polls.poll(5, times=3)
    assert transfers(hub) == []
    queue.put_group("a", b"3", first=3)
    polls.poll(5, times=3)
    assert len(transfers(hub)) == 1
    assert sorted(queue.bodies()) == [b"1", b"2", b"2", b"3", b"alone"]


def test_187_a_group_that_no_transfer_takes_begins_none(hub, polls, queue):
    """Item 187: one that is marked as incomplete, and one whose last message has a number that no group reaches."""
    create(hub, queue_body("completeMessageGroups"))
    queue.put_group("a", b"1", b"2", last=False)
    marks = {"JMSXGroupID": "a", "JMSXGroupSeq": 3, "JMS_IBM_Last_Msg_In_Group": True, "crossdock-incomplete": True}
    queue.put(b"", headers=marks)
    queue.put(b"huge", headers={"JMSXGroupID": "b", "JMSXGroupSeq": 2**40, "JMS_IBM_Last_Msg_In_Group": True})
    polls.poll(5, times=3)
    assert transfers(hub) == []
    assert queue.bodies() == [b"1", b"2", b"", b"huge"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"agent": "GONE"}, "does not answer"),
        ({"agent": "NONE"}, "has no message broker"),
        ({"queue": "MISSING"}, "no queue MISSING"),
        ({"queue": "Q@QM9"}, "Q@QM9"),
    ],
)
def test_231_a_queue_that_cannot_be_asked_begins_nothing(hub, polls, queue, log, changes, word):
    """Item 231: the log says why, without the address of the broker."""
    create(hub, queue_body("queueNotEmpty", **changes))
    queue.put(b"1")
    polls.poll(times=2)
    assert transfers(hub) == []
    assert word in log.getvalue()
    assert "guest" not in log.getvalue()


def test_188_a_queue_has_no_file(hub, polls, queue):
    """Item 188: a variable of a file has no value; the transfer is malformed, and comes once for these messages."""
    create(hub, queue_body("queueNotEmpty", transferDefinition__job={"name": "${FileName}"}))
    queue.put(b"1")
    polls.poll(5, times=3)
    (found,) = transfers(hub)
    assert found["status"]["state"] == "malformed"
    assert "${FileName}" in found["status"]["description"]
    queue.put(b"2")
    polls.poll(5, times=3)
    assert len(transfers(hub)) == 2


def test_187_229_groups_are_looked_for_where_the_agent_says_that_its_queues_keep_them(hub, polls, queue):
    """Items 178, 187 and 229: elsewhere a message that is looked at again and again may be dropped by its queue."""
    queue.put_group("a", b"1", b"2")
    where = "/ibmmq/rest/v3/admin/mft/monitor"
    answer = hub.ask(where, "POST", json=queue_body("completeMessageGroups", agent="YARD"), headers=TOKEN)
    error = answer.json["error"][0]
    assert (answer.status_code, error["msgId"]) == (400, "MQWB0971E")
    assert "triggerCondition.type" in error["message"]
    assert "message_groups" in error["message"]
    asked = queue_body("queueNotEmpty", agent="YARD")["transferDefinition"]
    for item in asked["transferSet"]["item"]:
        item["source"] |= {"name": "Q", "useGroups": True}
        item["destination"]["name"] = "got"
    asked["sourceAgent"] = {"name": "YARD", "qmgrName": "QM1"}
    answer = hub.mft(method="POST", json=asked, headers=TOKEN)
    assert answer.status_code == 202, answer.json
    (found,) = transfers(hub)
    assert found["status"]["state"] == "malformed"
    assert "message_groups" in found["status"]["description"]
    assert queue.bodies() == [b"1", b"2"]


def test_187_a_monitor_of_groups_looks_at_nothing_once_its_agent_does_not_allow_it(hub, polls, queue):
    """Item 187: the configuration can change after the monitor was created; no message is given back any more."""
    create(hub, queue_body("completeMessageGroups"))
    polls.poll(5, times=2)
    object.__setattr__(hub.service.follower.current.agents["QUAY"], "message_groups", False)
    queue.put_group("a", b"1", b"2")
    polls.poll(5, times=3)
    assert transfers(hub) == []
    object.__setattr__(hub.service.follower.current.agents["QUAY"], "message_groups", True)
    polls.poll(600, times=3)
    assert len(transfers(hub)) == 1
