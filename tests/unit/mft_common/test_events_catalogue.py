import dataclasses
import json
from pathlib import Path

import pytest

from filestore_svc.events import COMPOSITES
from mft_common.events import EVENTS, AccountChanged, EventError, FileStored, Side, TransferEnded
from mft_common.events.envelope import parse

GOLDEN = Path(__file__).parents[2] / "golden" / "events"
FILES = sorted(GOLDEN.glob("*.json"))


def golden(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_event_ever_published_is_still_read_and_written_alike(path: Path) -> None:
    """A golden envelope is read, and what is written from it holds the same members."""
    text = path.read_text()
    envelope = parse(text)
    assert envelope.type == path.stem
    assert envelope.data.subject() == envelope.subject
    assert json.loads(envelope.to_json()) == json.loads(text)


def test_every_type_has_a_golden_file() -> None:
    """Every event that is published has a golden file."""
    assert {path.stem for path in FILES} == set(EVENTS)


@pytest.mark.parametrize("event", [*EVENTS.values(), *COMPOSITES.values()], ids=lambda event: event.TYPE)
def test_schema_and_dataclass_have_the_same_members(event) -> None:
    """A field without a member in JSON would be lost, and a member without a field could not be built."""
    required = {field.name for field in dataclasses.fields(event) if field.default is dataclasses.MISSING}
    required -= {f.name for f in dataclasses.fields(event) if f.default_factory is not dataclasses.MISSING}
    assert {field.name for field in dataclasses.fields(event)} == set(event.SCHEMA.fields)
    assert required <= {name for name, field in event.SCHEMA.fields.items() if field.required}


def test_an_unknown_member_is_ignored() -> None:
    """A newer producer may add members without breaking older consumers."""
    data = {**golden("account.changed.v1")["data"], "colour": "red"}
    assert AccountChanged.from_data(data) == AccountChanged(name="part1", revision=4, what="password")


@pytest.mark.parametrize("revision", ["4", 4.0, True, None, -1])
def test_a_value_that_only_resembles_a_number_is_refused(revision: object) -> None:
    """Numbers are whole JSON numbers of at least 0 and nothing else."""
    with pytest.raises(EventError, match="revision"):
        AccountChanged.from_data({"name": "part1", "revision": revision, "what": "password"})


def test_a_missing_member_is_named() -> None:
    """An event without a member that it must have cannot be read."""
    data = golden("file.stored.v1")["data"]
    del data["sha256"]
    with pytest.raises(EventError, match="sha256"):
        FileStored.from_data(data)


@pytest.mark.parametrize("at", ["2026-03-02T06:00:00.131", "2026-03-02T07:00:00.131+01:00", "yesterday", 7])
def test_times_are_in_utc(at: object) -> None:
    """A time without `Z` is refused, because its zone would be a guess."""
    data = {**golden("transfer.ended.v1")["data"], "ended_at": at}
    with pytest.raises(EventError, match="ended_at"):
        TransferEnded.from_data(data)


def test_an_end_in_a_state_that_is_no_end_cannot_be_published() -> None:
    """A producer checks an event before it publishes it."""
    ended = TransferEnded.from_data(golden("transfer.ended.v1")["data"])
    with pytest.raises(EventError, match="state"):
        dataclasses.replace(ended, state="inProgress").to_data()


def test_more_items_than_an_event_may_hold_are_refused() -> None:
    """A transfer's event holds at most 1,000 items."""
    ended = TransferEnded.from_data(golden("transfer.ended.v1")["data"])
    with pytest.raises(EventError, match="items"):
        dataclasses.replace(ended, items=ended.items[:1] * 1_001).to_data()


def test_none_is_absent_and_never_null() -> None:
    """None leaves no trace in the JSON, at any depth."""
    ended = TransferEnded.from_data(golden("transfer.ended.v1")["data"])
    item = dataclasses.replace(ended.items[0], destination=Side(path="a"))
    data = dataclasses.replace(ended, items=(item,), began_at=None).to_data()
    assert "began_at" not in data
    assert data["items"][0]["destination"] == {"type": "file", "path": "a"}


def test_a_name_that_is_not_unicode_is_shown_escaped() -> None:
    """A path with bytes that are no UTF-8, or with NUL, can be stored and read everywhere."""
    stored = FileStored.from_data(golden("file.stored.v1")["data"])
    data = dataclasses.replace(stored, path="/in/\udcff\0.csv").to_data()
    assert data["path"] == "/in/\\xff\\x00.csv"
