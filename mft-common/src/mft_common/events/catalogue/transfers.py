"""Events of transfers, whichever protocol caused them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from marshmallow import fields, validate

from mft_common.events.catalogue.event import Event
from mft_common.events.catalogue.fields import TRANSFER_ID, Moment, Row, Text, WireSchema
from mft_common.events.catalogue.items import (
    FINAL_STATES,
    STATES,
    Agent,
    AgentSchema,
    Item,
    ItemSchema,
    Originator,
    OriginatorSchema,
    Totals,
    TotalsSchema,
)

# Services choose the names of their protocols.
_PROTOCOL = validate.Regexp(r"\A[a-z][a-z0-9-]{0,31}\Z", error="Not the name of a protocol.")
MAX_ITEMS = 1_000
_AT_MOST = validate.Length(max=MAX_ITEMS)


class TransferSchema(WireSchema):
    """Members that all events of a transfer have."""

    transfer_id = Text(required=True, validate=TRANSFER_ID)
    protocol = Text(required=True, validate=_PROTOCOL)
    state = Text(required=True, validate=validate.OneOf(STATES))
    description = Text(required=True)
    totals = fields.Nested(TotalsSchema, required=True)
    began_at = Moment()


class _HeadSchema(TransferSchema):
    source_agent = fields.Nested(AgentSchema, required=True)
    destination_agent = fields.Nested(AgentSchema, required=True)
    originator = fields.Nested(OriginatorSchema, required=True)
    job_name = Text(required=True)
    user_properties = fields.Dict(keys=Text(), values=Text(), required=True)
    caused_by = Text(validate=TRANSFER_ID)
    submitted_at = Moment(required=True)


class TransferStartedSchema(_HeadSchema):
    """JSON of `transfer.started.v1`."""

    items = Row(fields.Nested(ItemSchema), validate=_AT_MOST)


class TransferProgressedSchema(TransferSchema):
    """JSON of `transfer.progressed.v1`."""

    items = Row(fields.Nested(ItemSchema), validate=_AT_MOST)


class TransferEndedSchema(_HeadSchema):
    """JSON of `transfer.ended.v1`."""

    state = Text(required=True, validate=validate.OneOf(FINAL_STATES))
    ended_at = Moment(required=True)
    items = Row(fields.Nested(ItemSchema), required=True, validate=_AT_MOST)


@dataclass(frozen=True, kw_only=True)
class TransferEvent(Event):
    """A transfer's id, state and totals; `began_at` is the time of its first byte or call, in milliseconds.

    `state` is one of the eleven words, chosen by the producer; `description` is empty or the reason.
    """

    transfer_id: str
    protocol: str
    state: str
    totals: Totals
    description: str = ""
    began_at: int | None = None

    def subject(self) -> str:
        """Return the transfer's id."""
        return self.transfer_id


@dataclass(frozen=True, kw_only=True)
class TransferHead(TransferEvent):
    """The whole head of a transfer; `submitted_at` is when it was accepted.

    `caused_by` is the id of the transfer whose file started this one, None where no file did.
    """

    source_agent: Agent
    destination_agent: Agent
    originator: Originator
    submitted_at: int
    job_name: str = ""
    user_properties: Mapping[str, str] = field(default_factory=dict)
    caused_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class TransferStarted(TransferHead):
    """A transfer was accepted; `items` as far as they are known, or None."""

    TYPE: ClassVar[str] = "transfer.started.v1"
    SCHEMA: ClassVar[WireSchema] = TransferStartedSchema()
    items: tuple[Item, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class TransferProgressed(TransferEvent):
    """A transfer progressed; `items` are those that changed since the last event, at most 1,000."""

    TYPE: ClassVar[str] = "transfer.progressed.v1"
    SCHEMA: ClassVar[WireSchema] = TransferProgressedSchema()
    items: tuple[Item, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class TransferEnded(TransferHead):
    """A transfer reached its final state; it repeats the head, so that it is a complete record when it arrives first.

    Items beyond 1,000 precede it in further `TransferProgressed`.
    """

    TYPE: ClassVar[str] = "transfer.ended.v1"
    SCHEMA: ClassVar[WireSchema] = TransferEndedSchema()
    ended_at: int
    items: tuple[Item, ...]
