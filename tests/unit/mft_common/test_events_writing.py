import dataclasses
import json
import types
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from filestore_svc.events import COMPOSITES
from mft_common.events import EVENTS, FINAL_STATES, STATES, EventError
from mft_common.events.catalogue.fields import WireSchema
from mft_common.events.catalogue.writing import writer

GOLDEN = Path(__file__).parents[2] / "golden" / "events"
TEXT = st.text(max_size=12) | st.sampled_from(("\0", "\udcff", "é", "file", "binary", "deleted", "saved", "closed"))
LATEST = 253_402_300_799_999
ID = st.sampled_from(("0" * 48, "414D5120514D312020202020202020203F0C71A200000017", "414d", ""))
NAMED = {
    "transfer_id": ID,
    "state": st.sampled_from((*STATES, *FINAL_STATES, "gone")),
    "protocol": st.sampled_from(("http-mft", "diplomat", "SMTP")),
    "mode": st.sampled_from(("binary", "text", "ebcdic")),
    "began_at": st.integers(0, LATEST),
}


def values(name, hint):
    """Return values that a member may be given, by its name and its type."""
    if get_origin(hint) in (types.UnionType, types.NoneType):
        inner = next(each for each in get_args(hint) if each is not type(None))
        return st.none() | values(name, inner)
    if name in NAMED:
        return NAMED[name]
    if hint is str:
        return TEXT
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(-1 if not name.endswith(("_at", "_time")) else 0, LATEST)
    if dataclasses.is_dataclass(hint):
        return objects(hint)
    if get_origin(hint) is tuple:
        return st.lists(values("", get_args(hint)[0]), max_size=2).map(tuple)
    return st.dictionaries(TEXT, TEXT, max_size=2)


def objects(cls):
    """Return objects of a dataclass; the schema refuses most of them."""
    hints = get_type_hints(cls)
    return st.builds(cls, **{field.name: values(field.name, hints[field.name]) for field in dataclasses.fields(cls)})


def by_schema(event):
    """Return what the schema writes, or None where it would not read it back."""
    data = event.SCHEMA.dump(event)
    try:
        event.SCHEMA.load(data)
    except ValidationError:
        return None
    return data


def written(event):
    try:
        return event.to_data()
    except EventError:
        return None


@given(st.one_of([objects(event) for event in (*EVENTS.values(), *COMPOSITES.values())]))
def test_an_event_is_written_as_its_schema_writes_it(event) -> None:
    """Writer and schema write the same members, and refuse the same events."""
    assert json.dumps(written(event)) == json.dumps(by_schema(event))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_golden_events_are_written_as_the_schema_writes_them(path: Path) -> None:
    """Every event on record is written in the very text that its schema gives, and is read back as itself."""
    event = EVENTS[path.stem].from_data(json.loads(path.read_text())["data"])
    assert json.dumps(event.to_data()) == json.dumps(by_schema(event))
    assert type(event).from_data(event.to_data()) == event


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("account", None),
        ("account", 7),
        ("size", "4"),
        ("size", True),
        ("size", 4.0),
        ("size", -1),
        ("transfer_id", "414d"),
        ("transfer_id", None),
    ],
)
def test_a_wrong_member_is_named_before_the_commit(member, value) -> None:
    """An event that a consumer could not read is refused when it is written, by the name of the member."""
    golden = json.loads((GOLDEN / "file.stored.v1.json").read_text())["data"]
    event = EVENTS["file.stored.v1"].from_data(golden)
    with pytest.raises(EventError, match=member):
        dataclasses.replace(event, **{member: value}).to_data()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("began_at", "now"),
        ("began_at", 1 << 60),
        ("source_agent", None),
        ("source_agent", {"name": "CLIENT"}),
        ("items", "items"),
        ("items", (None,)),
        ("user_properties", ("a", "b")),
        ("user_properties", {"a": 1}),
    ],
)
def test_a_wrong_piece_of_a_transfer_is_named(member, value) -> None:
    """Pieces inside an event are checked as closely as its own members."""
    golden = json.loads((GOLDEN / "transfer.ended.v1.json").read_text())["data"]
    event = EVENTS["transfer.ended.v1"].from_data(golden)
    with pytest.raises(EventError, match=member):
        dataclasses.replace(event, **{member: value}).to_data()


def test_a_field_of_a_new_kind_asks_for_its_writer() -> None:
    """A schema with a field that the writer does not know fails when it is first used, and not silently."""

    class Odd(WireSchema):
        odd = fields.Float()

    with pytest.raises(TypeError, match="Float"):
        writer(Odd())
