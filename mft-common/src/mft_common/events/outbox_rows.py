"""Turn rows of an outbox into the envelopes that consumers and brokers are given; a composite becomes several."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from mft_common.events.catalogue import COMPOSITES, EVENTS, CompositeEvent
from mft_common.events.envelope import Envelope, event_of, parse, read_head, render
from mft_common.events.errors import EventError

# Sequences of a composite's events lie between those of its row and of the next one.
_SEQUENCES_PER_ROW: Final = 4


class OutboxRow(Protocol):
    """The columns of an outbox row that its envelopes are made of; any object with these attributes is one."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def time(self) -> int: ...  # noqa: D102
    @property
    def correlationid(self) -> str: ...  # noqa: D102
    @property
    def position(self) -> int: ...  # noqa: D102
    @property
    def data(self) -> str: ...  # noqa: D102


class RenderedEvent(NamedTuple):
    """An event as it is published: its id, its type, and its envelope as JSON text."""

    id: str
    type: str
    body: str


def row_types(types: Collection[str]) -> list[str]:
    """Return the types of the rows that hold events of `types`: those events' own, and those of composites."""
    composites = [name for name, each in COMPOSITES.items() if any(part.TYPE in types for part in each.PARTS)]
    return sorted({*types, *composites})


def events_in(types: Collection[str] | None) -> dict[str, int]:
    """Return how many events of `types` (all, if None) each type of composite holds."""
    return {
        name: sum(types is None or part.TYPE in types for part in composite.PARTS)
        for name, composite in COMPOSITES.items()
    }


def rendered(source: str, row: OutboxRow) -> Sequence[RenderedEvent]:
    """Render the events of a row of the outbox of `source`; the data of a single event is copied without parsing.

    EventError where the type is unknown to this program, or where a composite cannot be read.
    """
    if row.type in COMPOSITES:
        return [RenderedEvent(each.id, each.type, each.to_json()) for each in envelopes(source, row)]
    if row.type not in EVENTS:
        raise EventError(f"unknown type {row.type!r}")
    return [RenderedEvent(row.id, row.type, rendered_unread(source, row))]


def rendered_unread(source: str, row: OutboxRow) -> str:
    """Render a row as one envelope without reading its data, for an operator to inspect."""
    return render(**_members(source, row), data=row.data)


def envelopes(source: str, row: OutboxRow, types: Collection[str] | None = None) -> Sequence[Envelope[Any]]:
    """Return the envelopes of a row of the outbox of `source`; of a composite only those of `types`, where given.

    EventError where the row cannot be read.
    """
    composite = COMPOSITES.get(row.type)
    members = _members(source, row)
    if composite is None:
        return [Envelope(**members, data=event_of(row.type, row.data))]
    return _parts(composite.read(row.data), members, types)


def envelopes_of_body(body: str, types: Collection[str]) -> Sequence[Envelope[Any]]:
    """Return the envelopes of a kept body: those of `types` where it is a composite's, else the one that it is.

    EventError where the body cannot be read.
    """
    head = read_head(body)
    composite = COMPOSITES.get(head["type"])
    if composite is None:
        return [parse(body)]
    data = head.pop("data")
    if not isinstance(data, dict):
        raise EventError("data is missing, or no JSON object")
    return _parts(composite.from_data(data), head, types)


def _parts(composite: CompositeEvent, members: Mapping[str, Any], types: Collection[str] | None) -> list[Envelope[Any]]:
    found = []
    for number, part in enumerate(composite.PARTS):
        if types is None or part.TYPE in types:
            event = composite.part(number)
            own = {"id": f"{members['id']}-{number + 1}", "type": part.TYPE, "subject": event.subject()}
            found.append(Envelope(**{**members, **own, "sequence": members["sequence"] + number + 1}, data=event))
    return found


def _members(source: str, row: OutboxRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "source": source,
        "type": row.type,
        "subject": row.subject,
        "time": row.time,
        "correlationid": row.correlationid,
        "sequence": row.position * _SEQUENCES_PER_ROW,
    }
