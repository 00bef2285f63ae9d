"""The attributes of queues: names, delimiters, and the sides of an item in the record (91, 92, 158, 167)."""

import pytest

from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.brokers import is_broker, sharing_brokers
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.queues import delimiter_bytes, piece_size, qmgr_of, queue_of, shown
from mqmft_svc.domain.submissions import Destination, Source
from mqmft_svc.errors import BodyInvalid
from mqmft_svc.operations.managed.queue_sides import queue_side
from mqmft_svc.schemas.submissions import submission


def body(source=(), destination=()):
    """Return a request whose item has these attributes beside its names."""
    agent = {"name": "A", "qmgrName": "QM1"}
    item = {"source": {"name": "a", **dict(source)}, "destination": {"name": "b", **dict(destination)}}
    return {"sourceAgent": agent, "destinationAgent": agent, "transferSet": {"item": [item]}}


def test_229_agents_share_a_broker_of_the_same_host_port_and_virtual_host():
    """Item 229: users, spellings, the default port and what pika passes over make no difference.

    Agents without a broker share nothing.
    """
    urls = {
        "A": "amqp://one:x@Broker.example/v", "B": "amqp://two:y@broker.example.:5672/%76", "C": "amqp://broker.example/w",
        "D": "amqps://broker.example/v", "E": "", "F": "", "G": "amqp://[::1]", "H": "amqp://[::1]:5672/%2F",
        "I": "amqp://broker.example/v/rest",
    }  # fmt: skip
    agents = {name: Agent(name=name, qmgr="QM1", root="file:a", target=None, queues=url) for name, url in urls.items()}
    assert sharing_brokers(agents) == {"A": "A", "B": "A", "I": "A", "G": "G", "H": "G"}


QUEUE = {"type": "queue"}
SIZE = {**QUEUE, "delimiterType": "size"}
BINARY = {**QUEUE, "delimiterType": "binary"}


@pytest.mark.parametrize(
    ("source", "destination", "name"),
    [
        ({**QUEUE, "delimiter": "\n"}, {}, "source.delimiter"),
        ({**QUEUE, "delimiter": "x0"}, {}, "source.delimiter"),
        ({**QUEUE, "delimiter": "x0A,"}, {}, "source.delimiter"),
        ({**QUEUE, "delimiter": "x\u0660\u0661"}, {}, "source.delimiter"),
        ({**QUEUE, "delimiterPosition": "prefix"}, {}, "source.delimiterPosition"),
        ({**QUEUE, "name": "q" * 256}, {}, "source.name"),
        ({**QUEUE, "name": "@QM1"}, {}, "source.name"),
        ({**QUEUE, "messageWaitTime": -1}, {}, "source.messageWaitTime"),
        ({}, {**QUEUE, "name": "\u00e9" * 128}, "destination.name"),
        ({}, {**QUEUE, "delimiter": "x0A"}, "destination.delimiterType"),
        ({}, SIZE, "destination.delimiter"),
        ({}, BINARY, "destination.delimiter"),
        ({}, {**BINARY, "delimiter": "1K"}, "destination.delimiter"),
        ({}, {**SIZE, "delimiter": "x0A"}, "destination.delimiter"),
        ({}, {**SIZE, "delimiter": "0"}, "destination.delimiter"),
        ({}, {**SIZE, "delimiter": "65M"}, "destination.delimiter"),
        ({}, {**SIZE, "delimiter": "1G"}, "destination.delimiter"),
        ({}, {**SIZE, "delimiter": "\u0661"}, "destination.delimiter"),
        ({}, {**SIZE, "delimiter": "1K", "delimiterPosition": "prefix"}, "destination.delimiterPosition"),
        ({}, {**SIZE, "delimiter": "1K", "includeDelimiterInMessage": True}, "destination.includeDelimiterInMessage"),
        ({}, {**QUEUE, "includeDelimiterInMessage": True}, "destination.includeDelimiterInMessage"),
    ],
)
def test_158_167_168_what_a_queue_cannot_have_is_named_by_its_path(source, destination, name):
    """Items 158, 167 and 168: 400 with the path of the attribute."""
    with pytest.raises(BodyInvalid) as caught:
        submission(body(source, destination))
    assert caught.value.words["name"] == f"transferSet.item[0].{name}"


def test_167_168_the_attributes_of_queues_are_read():
    """Items 167 and 168: on both sides, with their defaults; `false` says nothing that a size could not have."""
    values = {"delimiter": "x0D,x0a", "delimiterPosition": "prefix", "messageWaitTime": 5, "useGroups": True}
    source = submission(body({**QUEUE, **values})).items[0].source
    assert (source.delimiter, source.delimiter_position) == ("x0D,x0a", "prefix")
    assert (source.message_wait_s, source.use_groups) == (5, True)
    given = {**SIZE, "delimiter": "10K", "includeDelimiterInMessage": False, "setMqProperties": True}
    destination = submission(body((), given)).items[0].destination
    assert (destination.delimiter_type, destination.delimiter, destination.set_mq_properties) == ("size", "10K", True)


def test_227_from_a_queue_to_a_queue_is_malformed():
    """Items 178, 228 and 229: one side of an item is a file; the schema allows more than an agent carries out."""
    made = submission(body(QUEUE, QUEUE))
    assert made.malformed == "item 0 goes from a queue to a queue, and one of its sides has to be a file"
    assert submission(body(QUEUE)).malformed == submission(body((), QUEUE)).malformed == ""


def test_228_delimiters_and_sizes():
    """Item 228: bytes in hex, numbers with K or M."""
    assert [delimiter_bytes(one) for one in ("x0A", "x0D,x0a", "xFF")] == [b"\n", b"\r\n", b"\xff"]
    assert [piece_size(one) for one in ("1", "10K", "1k", "64M")] == [1, 10240, 1024, 64 << 20]


@pytest.mark.parametrize(
    ("name", "queue", "qmgr", "record"),
    [("Q", "Q", "", "Q@QM1"), ("Q@qm2", "Q", "QM2", "Q@qm2"), ("a@b@QM1", "a@b", "QM1", "a@b@QM1")],
)
def test_91_158_the_name_of_a_queue(name, queue, qmgr, record):
    """Items 91 and 158: `QUEUE` or `QUEUE@QMGR`; the record has the second form."""
    assert (queue_of(name), qmgr_of(name), shown(name, "QM1")) == (queue, qmgr, record)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("amqp://broker", True),
        ("amqps://user:word@broker:5671/vhost", True),
        ("http://broker", False),
        ("amqp:broker", False),
        ("amqp://broker:x", False),
        ("amqp://broker:0", False),
        ("amqp://[::1", False),
    ],
)
def test_227_the_url_of_a_broker(url, good):
    """Item 227: RabbitMQ, with TLS or without."""
    assert is_broker(url) is good


def test_92_the_attributes_of_a_destination_queue():
    """Item 92: the number of delimiter bytes, or the size as asked for; ids and lengths once it has arrived."""
    binary = Destination(name="Q", type="queue", delimiter_type="binary", delimiter="x0D,x0A", include_delimiter=True)
    file = ManagedFile(
        position=0, item=0, source="a", destination="Q", delivered_size=7, message_count=2, message_id="4D"
    )
    before = queue_side(binary, "Q@QM1", file, md5=None)
    assert (before.message_count, before.message_length, before.message_or_group_id) == (2, 0, "")
    after = queue_side(binary, "Q@QM1", file.changed(delivered=True), md5="00")
    assert (after.name, after.md5, after.if_exists) == ("Q@QM1", "00", None)
    assert (after.message_count, after.message_length, after.message_or_group_id) == (2, 7, "4D")
    assert (after.delimiter_type, after.delimiter, after.delimiter_position) == ("binary", "2", "postfix")
    assert (after.include_delimiter, after.set_mq_properties) == (True, False)
    sized = queue_side(Destination(name="Q", type="queue", delimiter_type="size", delimiter="1K"), "Q", None, md5=None)
    assert (sized.delimiter_type, sized.delimiter, sized.delimiter_position) == ("size", "1K", "")
    assert queue_side(Destination(name="Q", type="queue"), "Q", None, md5=None).delimiter == ""


def test_91_229_messages_of_a_source_queue_are_always_deleted():
    """Items 91 and 229: whatever the request says about the disposition."""
    side = queue_side(Source(name="Q", type="queue"), "Q@QM1", None, md5=None)
    assert (side.disposition, side.message_count, side.set_mq_properties) == ("delete", 0, False)
