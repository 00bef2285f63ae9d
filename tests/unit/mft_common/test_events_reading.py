"""The composed readers read events as their schemas do."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from mft_common.events import EVENTS, EventError
from mft_common.events.catalogue.fields import WireSchema
from mft_common.events.catalogue.reading import NotPlain, reader

GOLDEN = {
    path.stem: json.loads(path.read_text())["data"]
    for path in sorted((Path(__file__).parents[2] / "golden" / "events").glob("*.json"))
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 1 << 60),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.sampled_from(
        ("2026-05-01T00:00:00.000Z", "2026-05-01T00:00:00Z", "2026-05-01T02:00:00+02:00", "successful", "x")
    ),
    st.lists(st.text(max_size=2), max_size=2),
    st.dictionaries(st.text(max_size=2), st.text(max_size=2) | st.none(), max_size=2),
)


def places(value, path=()):
    """Return the path to every member of a JSON value."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in members:
        yield (*path, name)
        yield from places(inner, (*path, name))


@st.composite
def changed(draw):
    """Return an event on record with up to three of its members changed, added or taken away."""
    type_ = draw(st.sampled_from(sorted(GOLDEN)))
    data = copy.deepcopy(GOLDEN[type_])
    for _ in range(draw(st.integers(0, 3))):
        *way, name = draw(st.sampled_from(sorted(places(data), key=str)))
        inner = data
        for step in way:
            inner = inner[step]
        action = draw(st.sampled_from(("set", "set", "take", "add")))
        if action == "take":
            del inner[name]
        elif action == "add" and isinstance(inner, dict):
            inner[draw(st.text(max_size=5))] = draw(ODD)
        else:
            inner[name] = draw(ODD)
    return type_, data


def by_schema(event, data):
    try:
        return event(**event.SCHEMA.load(data))
    except ValidationError as error:
        return error.messages


def read(event, data):
    try:
        return event.from_data(data)
    except EventError as error:
        return str(error)


@given(changed())
def test_any_data_is_read_as_the_schema_reads_it(case) -> None:
    """The result is the same event, or the same error."""
    event, data = EVENTS[case[0]], case[1]
    expected = by_schema(event, copy.deepcopy(data))
    if isinstance(expected, event):
        assert read(event, data) == expected
    else:
        assert read(event, data) == f"{event.TYPE}: {expected}"


@pytest.mark.parametrize("type_", sorted(GOLDEN))
def test_events_on_record_need_no_schema(type_) -> None:
    """Published events are read without the schema, and members that this version does not know are ignored."""
    event, data = EVENTS[type_], GOLDEN[type_] | {"a later member": 1}
    assert event(**reader(event.SCHEMA)(data)) == by_schema(event, data)


def test_a_field_of_a_new_kind_asks_for_its_reader() -> None:
    """A schema with a field that the reader does not know fails when it is first used, and not silently."""

    class Odd(WireSchema):
        odd = fields.Float()

    with pytest.raises(TypeError, match="Float"):
        reader(Odd())


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_data_that_is_no_object_is_left_to_the_schema(value) -> None:
    """Only a JSON object can be an event."""
    with pytest.raises(NotPlain):
        reader(EVENTS["file.read.v1"].SCHEMA)(value)
