"""Files that go into queues of a real RabbitMQ, each in a child of the real runner (228, 230, 231)."""

import contextlib
import hashlib
import os

import pytest

from tests.servers.diplomat_jobs import tree
from tests.servers.managed_transfers import TOKEN, item
from tests.servers.processes import free_port
from tests.servers.silent_peer import Peer
from tests.service.mqmft_svc.managed_worker import children, transfer

__all__ = ["children", "transfer"]

OVER = {"recover": "", "stopped": False, "left": False}
LINES = {"delimiter_type": "binary", "delimiter": "x0A"}
GROUP, SEQUENCE, LAST = "JMSXGroupID", "JMSXGroupSeq", "JMS_IBM_Last_Msg_In_Group"
INCOMPLETE = "crossdock-incomplete"


def brokers(url):
    """Return the brokers of an order: the destination agent has one."""
    return {"source": {"agent": "QUAY", "qmgr": "QM1"}, "destination": {"agent": "BANK", "qmgr": "QM2", "url": url}}


@pytest.fixture
def put(transfer, amqp_url):
    """Return a function that makes a transfer of files into queues."""

    def make(*items, url=amqp_url, **changes):
        return transfer(*items, **{"brokers": brokers(url), **changes})

    return make


def to_queue(source, name="Q", *, options=(), source_options=(), **destination):
    """Return an item whose destination is a queue."""
    return item(
        source,
        name,
        options=options,
        source_options=source_options,
        destination_options={"type": "queue", **destination},
    )


def md5(content):
    """Return the MD5 of a content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_228_a_file_without_a_delimiter_is_one_persistent_message(put, queue):
    """Items 92, 223, 227 and 228: with an id that the record has, and without headers."""
    one = put(to_queue("a"), files={"a": b"one\ntwo\n"})
    one.before["may_commit"] = lambda _data: seen.append(queue.count())
    seen = []
    assert one.run() == OVER
    assert one.kinds() == ["found", "began", "progress", "may_commit", "file_ended"]
    ((properties, body),) = queue.take()
    file = one.one()
    assert (seen, body, properties.delivery_mode, properties.headers) == ([0], b"one\ntwo\n", 2, None)
    assert (file.state, file.message_count, file.message_id) == ("successful", 1, properties.message_id)
    assert (file.size, file.delivered_size, len(file.message_id)) == (8, 8, 48)
    assert file.source_md5 == file.delivered_md5 == md5(b"one\ntwo\n")
    assert (file.temporary, file.checkpoint) == ("", None)


def test_228_a_file_is_split_at_its_delimiter_into_a_group(put, queue):
    """Items 92, 223 and 228: one id, a running number, the mark of the last; the md5 is that of the bodies."""
    one = put(to_queue("a", **LINES), files={"a": b"one\ntwo\nthree"})
    assert one.run() == OVER
    file, messages = one.one(), queue.take()
    assert [body for _, body in messages] == [b"one", b"two", b"three"]
    assert [properties.headers for properties, _ in messages] == [
        {GROUP: file.message_id, SEQUENCE: number, LAST: number == 3} for number in (1, 2, 3)
    ]
    assert len({properties.message_id for properties, _ in messages}) == 3
    assert (file.message_count, file.size, file.delivered_size) == (3, 13, 11)
    assert (file.source_md5, file.delivered_md5) == (md5(b"one\ntwo\nthree"), md5(b"onetwothree"))


def test_228_pieces_of_a_size_and_an_empty_file(put, queue):
    """Item 228: `1K` is 1,024 bytes; no bytes are one empty message of a group."""
    content = os.urandom(2500)
    one = put(
        to_queue("a", delimiter_type="size", delimiter="1K"), to_queue("b", delimiter_type="size", delimiter="1K"),
        files={"a": content, "b": b""},
    )  # fmt: skip
    assert one.run() == OVER
    messages = queue.take()
    assert [len(body) for _, body in messages] == [1024, 1024, 452, 0]
    assert b"".join(body for _, body in messages) == content
    assert [(each.headers[SEQUENCE], each.headers[LAST]) for each, _ in messages] == [
        (1, False), (2, False), (3, True), (1, True),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "shown"), [("d/a", "d/a"), ("d/caf\udce9", r"d/caf\xe9")])
def test_228_the_properties_of_mft_say_where_a_message_comes_from(put, queue, name, shown):
    """Items 54 and 228, `setMqProperties`: on each message of a group, under the names that the agents of IBM use."""
    one = put(to_queue(name, set_mq_properties=True, **LINES), files={name: b"1\n2"})
    one.run()
    for properties, _ in queue.take():
        values = properties.headers
        assert (values["WMQFTETransferId"], values["WMQFTEFileName"]) == (TOKEN, shown)
        assert (values["WMQFTESourceAgent"], values["WMQFTEDestinationAgent"]) == ("QUAY", "BANK")
        assert (values["WMQFTEFileSize"], values["WMQFTEFileIndex"], values["WMQFTEMqmdUser"]) == (3, 0, "mftadmin")
        assert values["WMQFTEFileLastModified"].endswith("Z")
        assert (values["WMQFTETransferMode"], values[GROUP]) == ("binary", one.one().message_id)


def test_228_a_directory_goes_file_by_file_and_sources_are_deleted(put, queue):
    """Items 218, 224 and 228: each file is a message of its own."""
    wanted = to_queue("d", source_options={"type": "directory", "disposition": "delete"})
    one = put(wanted, files={"d/a": b"one", "d/b": b"two"})
    assert one.run() == OVER
    assert (one.states(), queue.bodies(), tree(one.source)) == (["successful"] * 2, [b"one", b"two"], {})
    assert len({file.message_id for file in one.files.values()}) == 2


def test_230_text_is_converted_before_it_is_split(put, queue):
    """Item 230: the delimiter is looked for in the bytes of the destination's encoding."""
    wanted = to_queue(
        "a", options={"mode": "text"}, source_options={"encoding": "ISO-8859-1"}, end_of_line="CRLF",
        delimiter_type="binary", delimiter="x0D,x0A",
    )  # fmt: skip
    one = put(wanted, files={"a": "Größe\nzwei\n".encode("latin-1")})
    assert one.run() == OVER
    assert queue.bodies() == ["Größe".encode(), b"zwei"]


def test_228_a_file_that_breaks_off_leaves_nothing_in_the_queue(put, queue):
    """Item 228: everything is one transaction; here the last byte is no text."""
    wanted = to_queue("a", options={"mode": "text"}, **LINES)
    one = put(wanted, files={"a": b"line\n" * 50_000 + b"\xff"})
    assert one.run(retry_count=3) == OVER
    assert one.one().description.startswith("BFGTR0072E: ")
    assert (one.states(), queue.count()) == (["failed"], 0)


@pytest.mark.parametrize("is_good", [True, False])
def test_228_a_file_of_more_than_64_mib_is_visible_before_its_end(put, queue, is_good):
    """Item 228: it comes in order, and where it breaks off the last message says so and the item fails."""
    content = b"".join(b"%07d\n" % number * 16_384 for number in range(560))
    wanted = to_queue("a", options={"mode": "text"}, delimiter_type="size", delimiter="1M")
    one = put(wanted, files={"a": content + (b"" if is_good else b"\xff")})
    assert one.run(retry_count=3) == OVER
    messages, file = queue.take(), one.one()
    *firsts, (last, body) = messages
    assert [each.headers[SEQUENCE] for each, _ in messages] == list(range(1, len(messages) + 1))
    assert {each.headers[GROUP] for each, _ in messages} == {last.headers[GROUP]}
    assert {each.headers[LAST] for each, _ in firsts} == {False}
    assert (last.headers[LAST], last.headers.get(INCOMPLETE)) == (True, None if is_good else True)
    assert content.startswith(b"".join(each for _, each in messages))
    if is_good:
        assert (file.state, file.message_count, file.delivered_size) == ("successful", 70, len(content))
        assert b"".join(each for _, each in messages) == content
    else:
        assert (file.state, body, len(firsts) > 60) == ("failed", b"", True)
        assert file.tries == 1
    assert file.temporary == ""


def test_228_a_message_of_more_than_64_mib_is_refused(put, queue):
    """Item 228: it would have to be in memory as a whole."""
    one = put(to_queue("a"))
    with (one.source / "a").open("wb") as file:
        file.truncate((64 << 20) + 1)
    assert one.run(retry_count=3) == OVER
    assert one.one().description == "BFGTR0072E: a message would have more than 64 MiB."
    assert queue.count() == 0


def test_227_a_queue_that_is_missing_fails_and_is_not_declared(put, queue, tmp_path):
    """Items 97, 227 and 231: the reason names the agent, its broker and the queue; the other items arrive."""
    for folder in ("first", "second"):
        one = put(to_queue("a", "NOPE"), to_queue("a"), files={"a": b"1"}, folder=tmp_path / folder)
        assert one.run(retry_count=3) == OVER
        assert (one.states(), queue.bodies()) == (["failed", "successful"], [b"1"])
        assert one.files[0].description == "BFGTR0072E: the message broker of the agent BANK has no queue NOPE."


def test_227_the_queue_manager_is_that_of_the_agent(put, queue):
    """Item 227: in any case of the letters."""
    one = put(to_queue("a", "Q@QM1"), to_queue("a", "Q@qm2"), files={"a": b"1"})
    one.run()
    assert (one.states(), queue.bodies()) == (["failed", "successful"], [b"1"])
    assert one.files[0].description == "BFGTR0072E: Q@QM1: the queue manager of the agent BANK is QM2."


def test_231_without_a_broker_the_item_fails_and_others_arrive(put):
    """Item 231: where other items of the request can be moved."""
    one = put(to_queue("a"), item("a", "b"), files={"a": b"1"}, url="")
    assert one.run(recover=True) == OVER
    assert (one.states(), tree(one.destination)) == (["failed", "successful"], {"b": b"1"})
    assert one.files[0].description == "BFGTR0072E: The agent BANK has no message broker."


@pytest.mark.parametrize("is_silent", [True, False])
def test_231_a_broker_that_does_not_answer_fails_the_item(put, is_silent):
    """Item 231: never a hang, also where the transfer would wait in recovery; no other root is needed."""
    with contextlib.closing(Peer()) as peer:
        url = f"amqp://guest:guest@127.0.0.1:{peer.port if is_silent else free_port()}/x"
        one = put(to_queue("a"), files={"a": b"1"}, url=url, destination="sftp://user@127.0.0.1:1/x", patience_s=0.5)
        assert one.run(recover=True, retry_count=1) == OVER
    assert one.one().state == "failed"
    assert one.one().description.startswith("BFGTR0072E: the message broker of the agent BANK does not answer")
    assert (one.one().tries, tree(one.source)) == (2, {"a": b"1"})


def test_225_after_kill_9_at_any_message_no_file_is_twice_in_the_queue(put, queue, tmp_path):
    """Items 225 and 228: it is there once, or the item says that this is not known; the source is kept then."""
    outcomes = set()
    for number in range(6):
        for stored in (False, True):
            wanted = to_queue("a", source_options={"disposition": "delete"}, **LINES)
            one = put(wanted, files={"a": b"one\ntwo"}, folder=tmp_path / f"{number}{stored}")
            one.refused = (number, stored)
            one.killed()
            assert one.run(recover=True) == OVER
            bodies, state = queue.bodies(), one.one().state
            assert bodies in ([], [b"one", b"two"])
            if state == "failed":
                assert "it is not known" in one.one().description or "was cut off" in one.one().description
                assert tree(one.source) == {"a": b"one\ntwo"}
            else:
                assert (state, bodies, tree(one.source)) == ("successful", [b"one", b"two"], {})
            outcomes.add(state)
    assert outcomes == {"successful", "failed"}


def test_228_a_group_that_a_killed_run_has_left_open_is_marked(put, queue):
    """Items 225 and 228: the next run says so in the queue, and the item fails."""
    one = put(to_queue("a", **LINES), files={"a": b"one\ntwo"})
    one.refused = (0, True)
    one.killed()
    one.files[0] = one.one().changed(state="moving", temporary="AB" * 24)
    assert one.run(recover=True) == OVER
    ((properties, body),) = queue.take()
    assert (properties.headers, body) == ({GROUP: "AB" * 24, LAST: True, INCOMPLETE: True}, b"")
    assert (one.one().state, one.one().temporary) == ("failed", "")
    assert "cut off after a part of the file was sent" in one.one().description


def test_228_a_sweep_marks_the_group_of_a_transfer_that_was_ended(put, queue):
    """Item 228: a cancelled transfer has no other run; without the queue nobody waits."""
    one = put(to_queue("a", **LINES), files={"a": b"one\ntwo"})
    for name in ("Q", "NOPE"):
        assert one.sweep(groups=[[name, "AB" * 24]]) == ""
    assert queue.take()[0][0].headers == {GROUP: "AB" * 24, LAST: True, INCOMPLETE: True}
    one.payload["brokers"] = brokers(f"amqp://127.0.0.1:{free_port()}/")
    assert "broker of the agent BANK does not answer" in one.sweep(groups=[["Q", "AB" * 24]])
