import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.events import AccountChanged, Envelope, EventError
from mft_common.events.envelope import parse


def envelope(**changes) -> dict:
    whole = {
        "specversion": "1.0",
        "id": "a1",
        "source": "gateway",
        "type": "account.changed.v1",
        "subject": "part1",
        "time": "2026-03-02T06:00:00.131Z",
        "sequence": "00000000000000000007",
        "correlationid": "c1",
        "data": {"name": "part1", "revision": 4, "what": "password"},
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def test_an_envelope_is_read_into_its_members() -> None:
    """Times become milliseconds, the sequence a number and the data its event."""
    assert parse(json.dumps(envelope())) == Envelope(
        id="a1",
        source="gateway",
        type="account.changed.v1",
        subject="part1",
        time=1_772_431_200_131,
        data=AccountChanged(name="part1", revision=4, what="password"),
        correlationid="c1",
        sequence=7,
    )


def test_sequence_and_correlation_may_be_missing() -> None:
    """Both are extensions of CloudEvents, which other producers need not send."""
    read = parse(json.dumps(envelope(sequence=None, correlationid=None)))
    assert (read.sequence, read.correlationid) == (0, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": "0.3"},
        {"specversion": None},
        {"id": None},
        {"id": 7},
        {"id": "x" * 65},
        {"source": ""},
        {"subject": "a\0b"},
        {"subject": "\ud800"},
        {"type": "account.changed.v2"},
        {"type": ["account.changed.v1"]},
        {"time": "2026-03-02T06:00:00"},
        {"time": 7},
        {"sequence": 7},
        {"sequence": "7.0"},
        {"sequence": "\N{ARABIC-INDIC DIGIT SEVEN}"},
        {"data": None},
        {"data": "name"},
        {"data": {"name": "part1"}},
    ],
    ids=str,
)
def test_an_envelope_with_a_fault_is_refused(changes: dict) -> None:
    """Every fault of an envelope is an EventError."""
    with pytest.raises(EventError):
        parse(json.dumps(envelope(**changes)))


@given(st.one_of(st.binary(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_arbitrary_bytes_raise_nothing_but_an_event_error(body: bytes | str) -> None:
    """No message raises another error in a consumer."""
    with pytest.raises(EventError):
        parse(body)
