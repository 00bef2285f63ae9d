"""Composites are several events in one row of an outbox, which is expanded where it is read."""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filestore_svc.domain.client_transfers import DownloadCompleted, UploadCompleted
from filestore_svc.events import COMPOSITES
from mft_common.events import EventError, FileRead, FileStored, TransferEnded, TransferStarted
from mft_common.events.catalogue import EVENTS, register_composites
from mft_common.events.envelope import parse
from mft_common.events.outbox_rows import envelopes, rendered

register_composites(COMPOSITES)
GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "events" / "composites").glob("*.json"))
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
DOWNLOADS = st.builds(DownloadCompleted, **COMMON)
UPLOADS = st.builds(
    UploadCompleted,
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


def row_of(composite):
    return Row(composite.TYPE, composite.to_json())


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
    return UploadCompleted(**{**values, **other})


@given(DOWNLOADS | UPLOADS)
def test_every_part_is_an_event_that_can_be_read(composite) -> None:
    """Any composite expands into events that pass the schemas of all consumers."""
    for envelope in envelopes("filestore-svc", row_of(composite)):
        assert parse(envelope.to_json()) == envelope


@given(DOWNLOADS | UPLOADS)
def test_the_broker_is_given_the_events_that_a_consumer_without_a_broker_reads(composite) -> None:
    """Both buses deliver the same events, with the same ids and sequences."""
    row = row_of(composite)
    delivered = [(each.id, each.type, parse(each.body)) for each in rendered("filestore-svc", row)]
    assert delivered == [(each.id, each.type, each) for each in envelopes("filestore-svc", row)]


@pytest.mark.parametrize("composite", COMPOSITES.values(), ids=lambda composite: composite.TYPE)
def test_a_composite_has_the_parts_that_it_names(composite) -> None:
    """Consumers are found by the types of the parts; the composite's own type is no event that they could consume."""
    values = {field.name: getattr(upload(), field.name) for field in dataclasses.fields(composite)}
    parts = [type(composite(**values).part(number)) for number in range(len(composite.PARTS))]
    assert tuple(parts) == composite.PARTS
    assert {part.TYPE for part in parts} <= set(EVENTS)
    assert composite.TYPE not in EVENTS


def test_parts_of_one_row_have_ids_and_sequences_of_their_own() -> None:
    """Each has an id of its own, and a sequence between those of this row and of the next."""
    first, second = row_of(upload()), row_of(upload())._replace(id="8", position=13)
    delivered = [*envelopes("s", first), *envelopes("s", second)]
    assert len({each.id for each in delivered}) == 6
    numbers = [each.sequence for each in delivered]
    assert numbers == sorted(set(numbers))


def test_only_wanted_parts_are_made() -> None:
    """A consumer of one event type gets one envelope, with the same id as in every other delivery."""
    wanted = envelopes("s", row_of(upload()), {FileStored.TYPE})
    assert wanted == envelopes("s", row_of(upload()))[:1]


def test_an_upload_expands_into_the_events_of_its_file_and_transfer() -> None:
    """The end of the transfer has size and digest; the beginning does not."""
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


def test_a_download_expands_into_the_events_of_its_file_and_transfer() -> None:
    """Its source is the path in the store, and its destination is not known."""
    values = {field.name: getattr(upload(), field.name) for field in dataclasses.fields(DownloadCompleted)}
    read, started, ended = (each.data for each in envelopes("s", row_of(DownloadCompleted(**values))))
    assert isinstance(read, FileRead)
    assert (read.path, read.fileset, read.transfer_id) == ("/in/a", 17, TRANSFER)
    assert (started.source_agent.name, started.destination_agent.name) == ("FILESTORE", "CLIENT")
    assert (ended.items[0].source.path, ended.items[0].destination.path) == ("/in/a", None)
    assert started.user_properties == ended.user_properties == {
        "crossdock.protocol": "http-mft", "crossdock.fileset": "17",
    }  # fmt: skip


def test_a_transfer_never_ends_before_it_began() -> None:
    """Where the clock was set back, the end is the time of the submission."""
    ended = envelopes("s", row_of(upload(ended_at=10)))[2].data
    assert ended.ended_at == 1000


@pytest.mark.parametrize("data", ["", "[]", "{}", "[" * 100_000, '{"path": 1}'])
def test_a_composite_that_cannot_be_read_is_an_error(data: str) -> None:
    """Both buses refuse a broken row."""
    row = Row(UploadCompleted.TYPE, data)
    with pytest.raises(EventError):
        envelopes("s", row)
    with pytest.raises(EventError):
        rendered("s", row)


def test_a_row_of_an_unknown_type_is_not_relayed() -> None:
    """It may be a composite of a newer program: relayed as one event, its parts would be lost."""
    with pytest.raises(EventError, match=r"upload\.completed\.v2"):
        rendered("s", Row("upload.completed.v2", "{}"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_row_is_read_as_its_golden_events(path: Path) -> None:
    """A row that was ever written is still read, and written alike."""
    golden = json.loads(path.read_text())
    row = Row(**{**golden["row"], "data": json.dumps(golden["row"]["data"])})
    assert row.type == path.stem
    assert [json.loads(each.to_json()) for each in envelopes("filestore-svc", row)] == golden["events"]
    assert [json.loads(each.body) for each in rendered("filestore-svc", row)] == golden["events"]
    assert COMPOSITES[row.type].read(row.data).to_data() == golden["row"]["data"]


def test_every_composite_has_a_golden_file() -> None:
    """No composite is written whose form is not on record."""
    assert {path.stem for path in GOLDEN} == {composite.TYPE for composite in COMPOSITES.values()}


@pytest.mark.parametrize("kind", ["upload", "download"])
def test_a_row_of_an_earlier_program_is_read_under_its_former_type(kind: str) -> None:
    """Rows that were written before the composites had their present types lose no event."""
    path = next(path for path in GOLDEN if path.stem == f"{kind}.completed.v1")
    golden = json.loads(path.read_text())
    row = Row(**{**golden["row"], "type": f"whole.{kind}.v1", "data": json.dumps(golden["row"]["data"])})
    assert [json.loads(each.to_json()) for each in envelopes("filestore-svc", row)] == golden["events"]
    assert len(envelopes("filestore-svc", row, {golden["events"][0]["type"]})) == 1
