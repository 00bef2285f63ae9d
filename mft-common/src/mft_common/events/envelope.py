"""Wrap events in envelopes with the attributes of CloudEvents 1.0."""

import json
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from mft_common import clock
from mft_common.events.catalogue import EVENTS, Event
from mft_common.events.errors import EventError
from mft_common.storable_text import storable

SPECVERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/cloudevents+json"
# The sequence extension of CloudEvents is a text that sorts like the number.
_SEQUENCE_DIGITS: Final = 20
_NAME_LENGTH: Final = 64
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, kw_only=True)
class Envelope(Generic[E]):
    """An event with its attributes: (`source`, `id`) is unique, `time` is in milliseconds, `data` is the event.

    `correlationid` is the id of the request that caused it, or empty. `sequence` grows with each event of one subject
    from one source; delivery may break that order.
    """

    id: str
    source: str
    type: str
    subject: str
    time: int
    data: E
    correlationid: str = ""
    sequence: int = 0
    specversion: str = SPECVERSION

    @property
    def key(self) -> tuple[str, str]:
        """The identity of this event."""
        return (self.source, self.id)

    def to_json(self) -> str:
        """Render the whole envelope."""
        return render(
            id=self.id,
            source=self.source,
            type=self.type,
            subject=self.subject,
            time=self.time,
            correlationid=self.correlationid,
            sequence=self.sequence,
            data=self.data.to_json(),
        )


def render(
    *,
    id: str,  # noqa: A002 -- the names of CloudEvents
    source: str,
    type: str,  # noqa: A002
    subject: str,
    time: int,
    correlationid: str,
    sequence: int,
    data: str,
) -> str:
    """Render an envelope around `data`, which is JSON text already, so that a relay need not read it."""
    head = {
        "specversion": SPECVERSION,
        "id": id,
        "source": source,
        "type": type,
        "subject": subject,
        "time": clock.iso(time),
        "datacontenttype": "application/json",
        "sequence": f"{sequence:0{_SEQUENCE_DIGITS}d}",
    }
    if correlationid:
        head["correlationid"] = correlationid
    return f'{_ENCODE(head)[:-1]},"data":{data}}}'


def _text(raw: dict[str, Any], name: str, longest: int | None = None) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value or (longest is not None and len(value) > longest):
        raise EventError(f"envelope: {name} is missing, no text, or too long")
    if storable(value) != value:
        raise EventError(f"envelope: {name} holds NUL or is no Unicode text")
    return value


def _time(raw: dict[str, Any]) -> int:
    text = _text(raw, "time")
    try:
        return clock.parse_iso(text)
    except ValueError as error:
        raise EventError("envelope: time is not ISO 8601 with a zone") from error


def _sequence(raw: dict[str, Any]) -> int:
    digits = raw.get("sequence", "0")
    if not isinstance(digits, str) or not (digits.isascii() and digits.isdigit()) or len(digits) > _SEQUENCE_DIGITS:
        raise EventError("envelope: sequence is not a text of up to 20 digits")
    return int(digits)


def parse(text: str | bytes) -> Envelope[Any]:
    """Read an envelope and its event; EventError names the fault of one that cannot be read.

    The members of the envelope are checked by hand, which takes a tenth of a schema's time.
    """
    head = read_head(text)
    return Envelope(**{**head, "data": _event(head["type"], head["data"])})


def read_head(text: str | bytes) -> dict[str, Any]:
    """Return the members of an envelope, `data` as JSON values; EventError as above."""
    raw = _json(text)
    if not isinstance(raw, dict):
        raise EventError("not a JSON object")
    if raw.get("specversion") != SPECVERSION:
        raise EventError(f"envelope: specversion is not {SPECVERSION}")
    return {
        "type": _text(raw, "type", _NAME_LENGTH),
        "id": _text(raw, "id", _NAME_LENGTH),
        "source": _text(raw, "source", _NAME_LENGTH),
        "subject": _text(raw, "subject"),
        "time": _time(raw),
        "correlationid": _text(raw, "correlationid", _NAME_LENGTH) if "correlationid" in raw else "",
        "sequence": _sequence(raw),
        "data": raw.get("data"),
    }


def event_of(type_: str, data: str) -> Event:
    """Read an event of type `type_` from its JSON text; EventError where that cannot be done."""
    return _event(type_, _json(data))


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EventError(f"not JSON: {error}") from error


def _event(type_: str, data: Any) -> Event:
    event = EVENTS.get(type_)
    if event is None:
        raise EventError(f"unknown type {type_!r}")
    if not isinstance(data, dict):
        raise EventError("data is missing, or no JSON object")
    return event.from_data(data)
