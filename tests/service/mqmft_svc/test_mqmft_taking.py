"""Messages of queues of a real RabbitMQ that become files, each in a child of the real runner (229, 230, B32)."""

import base64
import hashlib
import threading
import time

import pytest

from mft_common.queues.connection import QueueConnection
from mft_common.queues.settings import QueueSettings
from mqmft_svc.operations.managed.queues.groups import OneGroup
from tests.servers.diplomat_jobs import tree
from tests.servers.managed_transfers import item
from tests.servers.processes import free_port, wait_until
from tests.servers.queues import Queue
from tests.servers.stopwatch import Stopwatch
from tests.service.mqmft_svc.managed_worker import children, transfer

__all__ = ["children", "transfer"]

OVER = {"recover": "", "stopped": False, "left": False}


@pytest.fixture(params=["quorum", "classic"])
def queue(amqp_url, request):
    """An empty queue of each kind in turn."""
    made = Queue(amqp_url, kind=request.param)
    yield made
    made.close()


@pytest.fixture
def quorum(amqp_url):
    """An empty quorum queue."""
    made = Queue(amqp_url)
    yield made
    made.close()


def brokers(url):
    """Return the brokers of an order: the source agent has one."""
    return {"source": {"agent": "BANK", "qmgr": "QM1", "url": url}, "destination": {"agent": "YARD", "qmgr": "QM1"}}


@pytest.fixture
def given_back(rabbitmq_server, amqp_url):
    """Return a function that waits until nobody holds messages of the queue."""
    vhost = amqp_url.rpartition("/")[2]
    return lambda: wait_until(lambda: rabbitmq_server.held(vhost, "Q") == 0, what="what was held is given back")


@pytest.fixture
def taken_again(given_back):
    """Return a function that takes the bodies of all messages, once what was held has been given back."""

    def take(queue):
        given_back()
        return queue.bodies()

    return take


@pytest.fixture
def take(transfer, amqp_url):
    """Return a function that makes a transfer of messages into files."""

    def make(*items, url=amqp_url, **changes):
        return transfer(*items, **{"brokers": brokers(url), "source": "sftp://user@127.0.0.1:1/x", **changes})

    return make


def from_queue(name="Q", destination="out", *, options=(), destination_options=(), **source):
    """Return an item whose source is a queue."""
    return item(
        name, destination, options=options, destination_options=destination_options,
        source_options={"type": "queue", **source},
    )  # fmt: skip


def md5(content):
    """Return the MD5 of a content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_229_what_is_there_becomes_one_file(take, queue, taken_again):
    """Items 91, 95, 223 and 229: acknowledged after the file has its name; the root of the source is not needed."""
    queue.put(b"one", b"", b"three")
    one = take(from_queue(destination="in/out"))
    one.before["may_commit"] = one.before["delivered"] = lambda _data: seen.append((queue.count(), whole(one)))
    seen = []
    assert one.run() == OVER
    assert one.kinds() == ["found", "began", "progress", "may_commit", "delivered", "file_ended"]
    assert seen == [(0, {}), (0, {"in/out": b"onethree"})]
    file = one.one()
    assert (file.state, file.message_count, file.size, file.delivered_size) == ("successful", 3, 8, 8)
    assert file.source_md5 == file.delivered_md5 == md5(b"onethree")
    assert (file.temporary, file.checkpoint, queue.count()) == ("", None, 0)
    assert taken_again(queue) == []


def whole(one):
    """Return the files of a destination that have their names."""
    return {name: content for name, content in tree(one.destination).items() if name.rpartition("/")[2][0] != "."}


@pytest.mark.parametrize(
    ("position", "content"), [("", b"a\r\nb\r\n"), ("postfix", b"a\r\nb\r\n"), ("prefix", b"\r\na\r\nb")]
)
def test_229_messages_are_joined_with_a_delimiter(take, quorum, position, content):
    """Item 229: the checksum and the size of the source are those of the messages without it."""
    quorum.put(b"a", b"b")
    one = take(from_queue(delimiter="x0D,x0A", delimiter_position=position))
    assert one.run() == OVER
    assert (whole(one), one.one().size, one.one().delivered_size) == ({"out": content}, 2, len(content))
    assert (one.one().source_md5, one.one().delivered_md5) == (md5(b"ab"), md5(content))


def test_230_text_of_messages_is_converted(take, quorum):
    """Item 230: a character may lie across two messages."""
    quorum.put("Gr\u00f6".encode("utf-8")[:3], "Gr\u00f6".encode("utf-8")[3:] + b"\n")
    one = take(from_queue(options={"mode": "text"}, destination_options={"encoding": "cp1252", "end_of_line": "CRLF"}))
    assert one.run() == OVER
    assert whole(one) == {"out": "Gr\u00f6\r\n".encode("cp1252")}


def test_229_an_empty_queue_fails_and_so_does_a_missing_one(take, quorum):
    """Items 97, 227 and 229: no file is made, and no queue."""
    one = take(from_queue(), from_queue("NOPE"), from_queue("Q@QM9"), from_queue(use_groups=True))
    assert one.run(retry_count=2) == OVER
    assert [file.description for file in one.files.values()] == [
        "BFGIO0001E: Q: the queue is empty.",
        "BFGIO0001E: the message broker of the agent BANK has no queue NOPE.",
        "BFGTR0072E: Q@QM9: the queue manager of the agent BANK is QM1.",
        "BFGIO0001E: Q: the queue has no complete group of messages.",
    ]
    assert tree(one.destination) == {}


def test_221_229_an_existing_file_fails_the_item_before_a_message_is_taken(take, amqp_url):
    """Items 221 and 229: a queue that drops what comes back keeps its messages, and the file stays as it is."""
    queue = Queue(amqp_url, "L", **{"x-delivery-limit": 0})
    queue.put(b"new")
    one = take(from_queue("L"))
    (one.destination / "out").write_bytes(b"old")
    assert one.run() == OVER
    assert (one.one().state, one.one().description[:10]) == ("failed", "BFGIO0006E")
    assert (whole(one), queue.bodies()) == ({"out": b"old"}, [b"new"])
    queue.close()


def test_229_the_first_message_is_waited_for(take, quorum, amqp_url):
    """Item 229: `messageWaitTime` in seconds; what comes later is no part of the file."""
    one = take(from_queue(message_wait_s=30))
    handle = one.start()
    wait_until(lambda: one.kinds() == ["found"])
    other = Queue(amqp_url)
    other.put(b"late")
    assert handle.wait(20).result == OVER
    other.close()
    assert (whole(one), one.states()) == ({"out": b"late"}, ["successful"])


def test_180_waiting_for_a_message_ends_when_it_is_asked_to(take, quorum):
    """Item 180: within a moment."""
    one = take(from_queue(message_wait_s=600))
    handle = one.start()
    wait_until(lambda: one.kinds() == ["found"])
    handle.stop()
    assert handle.wait(60).result["stopped"] is True


def test_229_one_complete_group_in_its_own_order(take, quorum, taken_again):
    """Item 229, `useGroups`: the first that is complete; incomplete ones, marked ones and other messages stay."""
    quorum.put(b"alone")
    quorum.put_group("A", b"a1", b"a2", last=False)
    quorum.put_group("B", b"b2", b"b3", first=2)
    quorum.put(b"", headers={"JMSXGroupID": "A", "JMS_IBM_Last_Msg_In_Group": True, "crossdock-incomplete": True})
    quorum.put_group("C", b"c1")
    quorum.put_group("B", b"b1", last=False)
    one = take(from_queue(use_groups=True, delimiter="x2C"))
    assert one.run() == OVER
    assert (whole(one), one.one().message_count) == ({"out": b"c1,"}, 1)
    one = take(from_queue(use_groups=True, delimiter="x2C"), folder=one.destination / "second")
    assert one.run() == OVER
    assert whole(one) == {"out": b"b1,b2,b3,"}
    assert taken_again(quorum) == [b"alone", b"a1", b"a2", b""]


def test_229_a_group_of_absurd_numbers_holds_up_no_other(take, quorum, taken_again):
    """Item 229: the number of its last message costs nothing; numbers that are doubled or below 1 complete no group."""
    quorum.put(b"huge", headers={"JMSXGroupID": "H", "JMSXGroupSeq": 2**40, "JMS_IBM_Last_Msg_In_Group": True})
    for number, last in ((-1, False), (0, False), (1, False), (1, False), (4, True)):
        quorum.put(b"odd", headers={"JMSXGroupID": "O", "JMSXGroupSeq": number, "JMS_IBM_Last_Msg_In_Group": last})
    quorum.put_group("C", b"c1")
    one = take(from_queue(use_groups=True))
    assert one.run() == OVER
    assert whole(one) == {"out": b"c1"}
    assert taken_again(quorum) == [b"huge", *[b"odd"] * 5]


def test_229_a_group_is_looked_for_among_so_many_messages(amqp_url, queue, tmp_path):
    """Item 229: others that keep coming do not make it wait, and hold, for ever."""
    settings = QueueSettings(url=amqp_url, queue="Q")
    queue.put(*[b"alone"] * 5)
    with QueueConnection(settings, "reading", threading.Event()) as connection:
        group = OneGroup(connection, threading.Event(), tmp_path / "private", 5)
        since = Stopwatch()
        assert list(group.messages(time.monotonic() + 20)) == []
        assert since.seconds < 15
        assert group.settle()
    assert queue.bodies() == [b"alone"] * 5


def test_229_a_group_that_becomes_complete_is_waited_for(take, quorum, amqp_url, taken_again):
    """Item 229: what is held meanwhile is taken once."""
    quorum.put_group("A", b"1", last=False)
    one = take(from_queue(use_groups=True, message_wait_s=30))
    handle = one.start()
    wait_until(lambda: quorum.count() == 0)
    quorum.put_group("A", b"2", first=2)
    assert handle.wait(20).result == OVER
    assert (whole(one), taken_again(quorum)) == ({"out": b"12"}, [])


@pytest.mark.parametrize("what", ["a file", "a directory"])
def test_221_229_a_destination_that_is_taken_gives_the_messages_back(take, quorum, what, taken_again):
    """Items 221 and 229: nothing is written, and the messages are in the queue again."""
    quorum.put(b"one", b"two")
    one = take(from_queue())
    (one.destination / "out").mkdir() if what == "a directory" else (one.destination / "out").write_bytes(b"former")
    assert one.run(retry_count=2) == OVER
    assert one.states() == ["failed"]
    assert taken_again(quorum) == [b"one", b"two"]
    assert whole(one) == ({} if what == "a directory" else {"out": b"former"})


def test_b32_a_transfer_that_fails_after_some_messages_gives_all_back(take, quorum, taken_again):
    """B32 and item 229: here the text of the third of five messages cannot be decoded."""
    bodies = [b"1\n", b"2\n", b"\xff", b"4\n", b"5\n"]
    quorum.put(*bodies)
    one = take(from_queue(options={"mode": "text"}))
    assert one.run(retry_count=2) == OVER
    assert one.states() == ["failed"]
    assert (taken_again(quorum), tree(one.destination)) == (bodies, {})


@pytest.mark.parametrize("is_silent", [True, False])
def test_231_no_broker_no_hang(take, is_silent):
    """Item 231: an agent without one, and a port at which nobody answers."""
    url = f"amqp://guest:guest@127.0.0.1:{free_port()}/x" if is_silent else ""
    one = take(from_queue(), url=url)
    assert one.run(recover=True, retry_count=1) == OVER
    assert one.states() == ["failed"]
    assert "broker" in one.one().description
    assert "BANK" in one.one().description


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("number", range(6))
def test_225_229_after_kill_9_at_any_message_each_message_is_in_the_file_once(
    take, queue, number, stored, taken_again, given_back
):
    """Items 225 and 229: none is lost and none is written twice, and a new one with the same content stays."""
    queue.put(b"one", b"two")
    one = take(from_queue())
    one.refused = (number, stored)
    one.killed()
    given_back()
    queue.put(b"one")
    assert one.run(recover=True, patience_s=2.0) == OVER
    assert one.states() == ["successful"]
    rest = taken_again(queue)
    # Before the first file was whole, what had come meanwhile belongs to the next try.
    assert (whole(one)["out"], rest) in [(b"onetwo", [b"one"]), (b"onetwoone", [])]
    assert list(tree(one.destination)) == ["out"]
    if number >= 4:
        assert rest == [b"one"]


def test_229_many_messages_of_a_delivered_file_are_removed_among_others(take, quorum, taken_again, given_back):
    """Items 225 and 229: a quorum queue forgets the commands of a channel that is closed, beyond some 30."""
    quorum.put_many([b"%d" % number for number in range(300)])
    one = take(from_queue())
    one.refused = (4, True)
    one.killed()
    given_back()
    theirs = quorum.hold(1)
    assert one.run(recover=True, patience_s=2.0) == OVER
    quorum.give_back()
    assert taken_again(quorum) == theirs == [b"0"]
    assert one.one().message_count == 300


def test_229_a_large_group_among_others_is_removed_as_a_whole(take, quorum, taken_again):
    """Item 229: a hundred messages of a group, each followed by one that belongs to no group."""
    headers = [
        {"JMSXGroupID": "A", "JMSXGroupSeq": number, "JMS_IBM_Last_Msg_In_Group": number == 100}
        for number in range(1, 101)
    ]
    for number, values in enumerate(headers, 1):
        quorum.put(b"%d," % number, headers=values)
        quorum.put(b"other")
    one = take(from_queue(use_groups=True))
    assert one.run() == OVER
    assert whole(one) == {"out": b"".join(b"%d," % number for number in range(1, 101))}
    assert taken_again(quorum) == [b"other"] * 100


def test_229_messages_of_a_delivered_file_are_removed_where_its_root_is_gone(take, quorum, taken_again, given_back):
    """Items 225 and 229: what is left to do is the broker's part alone."""
    quorum.put(b"one")
    one = take(from_queue())
    one.refused = (4, True)
    one.killed()
    assert one.kinds()[-1] == "delivered"
    given_back()
    assert one.run(destination="file:nowhere/../..") == OVER
    assert (one.states(), taken_again(quorum)) == (["successful"], [])


def test_225_a_broker_that_is_away_after_the_file_is_delivered_is_waited_for(take, quorum, amqp_url, taken_again):
    """Items 225 and 229: the transfer recovers, and the messages are not written again."""
    quorum.put(b"one")
    one = take(from_queue())
    one.refused = (4, True)
    one.killed()
    away = brokers(f"amqp://127.0.0.1:{free_port()}/")
    assert "does not answer" in one.run(recover=True, brokers=away)["recover"]
    assert one.run(recover=True) == OVER
    assert (one.states(), whole(one), taken_again(quorum)) == (["successful"], {"out": b"one"}, [])


def test_229_many_messages_of_many_sizes(take, quorum, taken_again):
    """Items 229 and 244: in the order of the queue, over several chunks."""
    bodies = [b"%d," % number * (number % 50) for number in range(2500)]
    quorum.put_many(bodies)
    one = take(from_queue())
    assert one.run() == OVER
    assert whole(one) == {"out": b"".join(bodies)}
    assert (one.one().message_count, taken_again(quorum)) == (2500, [])


def test_229_two_users_of_a_queue_share_its_messages(take, quorum, amqp_url):
    """Item 229: another consumer takes some meanwhile; each message is at one of them."""
    bodies = [b"%05d," % number for number in range(3000)]
    quorum.put_many(bodies)
    theirs, stop = [], threading.Event()
    other = Queue(amqp_url)

    def consume():
        while not stop.is_set():
            theirs.extend(other.bodies())

    thread = threading.Thread(target=consume)
    one = take(from_queue())
    one.before["began"] = lambda _data: thread.start()
    assert one.run() == OVER
    stop.set()
    thread.join(60)
    other.close()
    mine = whole(one)["out"].split(b",")[:-1]
    assert sorted([*mine, *(body[:-1] for body in theirs)]) == [body[:-1] for body in bodies]
    assert one.one().message_count == len(mine)


def test_229_the_digests_of_messages_go_into_the_checkpoint_that_proves_the_commit(take, quorum):
    """Items 225 and 229: eight bytes for each, so that a message to the worker has room for 200,000."""
    quorum.put(b"one", b"one", b"two")
    one = take(from_queue())
    one.before["may_commit"] = lambda data: seen.append(base64.b64decode(data["checkpoint"]["taken"]))
    seen = []
    one.run()
    assert len(seen[0]) == 24
    assert seen[0][:8] == seen[0][8:16] != seen[0][16:]
