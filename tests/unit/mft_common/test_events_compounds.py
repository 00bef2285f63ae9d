"""Compounds: several events in one row of an outbox, which part where the row is read."""

import dataclasses
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.events import EventError, FileRead, FileStored, TransferEnded, TransferStarted
from mft_common.events.catalogue import COMPOUNDS, EVENTS, WholeDownload, WholeUpload
from mft_common.events.envelope import parse
from mft_common.events.outbox_queries import envelopes, rendered

TRANSFER = "414D5120514D312020202020202020203F0C71A200000017"
TIME = st.integers(0, 253_402_300_799_999)
WHOLE = st.integers(0, 2**53)
TEXT = st.text(max_size=12) | st.sampled_from(("\0", "\udcff", "é"))
COMMON = {
    "transfer_id": st.just(TRANSFER),
    **dict.fromkeys(("account", "address", "label", "sha256", "datatype"), TEXT),
    "path": TEXT.map("/".__add__),
    **dict.fromkeys(("fileset", "size"), WHOLE),
    **dict.fromkeys(("submitted_at", "modified_at", "ended_at"), TIME),
    "correlation_id": st.none() | TEXT,
}
DOWNLOADS = st.builds(WholeDownload, **COMMON)
UPLOADS = st.builds(
    WholeUpload,
    **COMMON,
    source=TEXT,
    if_exists=st.sampled_from((None, "error", "overwrite")),
    replaced=st.none() | WHOLE,
)


class Row(NamedTuple):
    """A row of an outbox."""

    type: str
    data: str
    id: str = "7"
    subject: str = "/in/a"
    time: int = 1_790_000_000_000
    correlationid: str = "r"
    position: int = 12


def row_of(whole):
    return Row(whole.TYPE, whole.to_json())


def upload(**other):
    values = {
        "transfer_id": TRANSFER,
        "account": "part1",
        "address": "192.0.2.7",
        "label": "",
        "path": "/in/a",
        "fileset": 17,
        "size": 5,
        "sha256": "a" * 64,
        "datatype": "text/csv",
        "source": "a.csv",
        "submitted_at": 1000,
        "modified_at": 1500,
        "ended_at": 2000,
        "if_exists": "overwrite",
        "replaced": 4,
    }
    return WholeUpload(**{**values, **other})


@given(DOWNLOADS | UPLOADS)
def test_every_part_is_an_event_that_can_be_read(whole) -> None:
    """Whatever a compound may hold, its parts pass the schemas that all consumers read events by."""
    for envelope in envelopes("filestore-svc", row_of(whole)):
        assert parse(envelope.to_json()) == envelope


@given(DOWNLOADS | UPLOADS)
def test_what_a_broker_is_given_is_what_a_neighbour_reads(whole) -> None:
    """Both buses tell the same events, with the same ids and numbers."""
    row = row_of(whole)
    told = [(each.id, each.type, parse(each.body)) for each in rendered("filestore-svc", row)]
    assert told == [(each.id, each.type, each) for each in envelopes("filestore-svc", row)]


@pytest.mark.parametrize("compound", COMPOUNDS.values(), ids=lambda compound: compound.TYPE)
def test_a_compound_has_the_parts_that_it_names(compound) -> None:
    """Consumers are found by the parts' types, and no compound is an event that a consumer could be told of."""
    values = {field.name: getattr(upload(), field.name) for field in dataclasses.fields(compound)}
    parts = [type(compound(**values).part(number)) for number in range(len(compound.PARTS))]
    assert tuple(parts) == compound.PARTS
    assert {part.TYPE for part in parts} <= set(EVENTS)
    assert compound.TYPE not in EVENTS


def test_parts_of_one_row_are_told_apart() -> None:
    """Each has an id of its own, and a number between those of this row and of the next."""
    first, second = row_of(upload()), row_of(upload())._replace(id="8", position=13)
    told = [*envelopes("s", first), *envelopes("s", second)]
    assert len({each.id for each in told}) == 6
    numbers = [each.sequence for each in told]
    assert numbers == sorted(set(numbers))


def test_only_wanted_parts_are_made() -> None:
    """Who is told of stored files alone gets one envelope, with the id that all others see."""
    wanted = envelopes("s", row_of(upload()), {FileStored.TYPE})
    assert wanted == envelopes("s", row_of(upload()))[:1]


def test_an_upload_tells_of_the_file_and_of_its_transfer() -> None:
    """The three events hold what is known: the end knows size and digest, the begin does not."""
    stored, started, ended = (each.data for each in envelopes("s", row_of(upload(label="mine", correlation_id="c"))))
    assert stored == FileStored(
        account="part1", address="192.0.2.7", path="/in/a", fileset=17, size=5, sha256="a" * 64, datatype="text/csv",
        correlation_id="c", transfer_id=TRANSFER, replaced=4,
    )  # fmt: skip
    assert isinstance(started, TransferStarted)
    assert (started.state, started.submitted_at, started.originator.label) == ("started", 1000, "mine")
    assert (started.source_agent.name, started.destination_agent.name) == ("CLIENT", "FILESTORE")
    assert started.items[0].destination.size is None
    assert started.user_properties == {"crossdock.protocol": "http-mft"}
    assert isinstance(ended, TransferEnded)
    assert (ended.state, ended.ended_at, ended.totals.bytes_sent, ended.totals.successes) == ("successful", 2000, 5, 1)
    target = ended.items[0].destination
    assert (target.path, target.size, target.sha256, target.modified_at) == ("/in/a", 5, "a" * 64, 1500)
    assert (ended.items[0].source.path, target.if_exists) == ("a.csv", "overwrite")
    assert ended.user_properties == {"crossdock.protocol": "http-mft", "crossdock.fileset": "17"}


def test_a_download_tells_of_the_file_and_of_its_transfer() -> None:
    """Its source is the path in the store; where the client puts it is nobody's business."""
    values = {field.name: getattr(upload(), field.name) for field in dataclasses.fields(WholeDownload)}
    read, started, ended = (each.data for each in envelopes("s", row_of(WholeDownload(**values))))
    assert isinstance(read, FileRead)
    assert (read.path, read.fileset, read.transfer_id) == ("/in/a", 17, TRANSFER)
    assert (started.source_agent.name, started.destination_agent.name) == ("FILESTORE", "CLIENT")
    assert (ended.items[0].source.path, ended.items[0].destination.path) == ("/in/a", None)
    assert started.user_properties == ended.user_properties == {
        "crossdock.protocol": "http-mft", "crossdock.fileset": "17",
    }  # fmt: skip


def test_an_end_before_the_begin_is_moved() -> None:
    """A clock that was set back makes no transfer that ends before it was accepted."""
    ended = envelopes("s", row_of(upload(ended_at=10)))[2].data
    assert ended.ended_at == 1000


@pytest.mark.parametrize("data", ["", "[]", "{}", "[" * 100_000, '{"path": 1}'])
def test_a_compound_that_cannot_be_read_says_so(data: str) -> None:
    """Neither bus guesses what a broken row may have told."""
    row = Row(WholeUpload.TYPE, data)
    with pytest.raises(EventError):
        envelopes("s", row)
    with pytest.raises(EventError):
        rendered("s", row)


def test_a_row_of_a_type_that_is_not_known_is_not_relayed() -> None:
    """It may be a compound of a newer program: told as if it were an event, its parts would be lost."""
    with pytest.raises(EventError, match=r"whole\.upload\.v2"):
        rendered("s", Row("whole.upload.v2", "{}"))
