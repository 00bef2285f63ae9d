"""Parts of transfer events: agents, originator, totals, items and the two sides of an item."""

from dataclasses import dataclass, field
from typing import ClassVar

from marshmallow import fields, validate

from mft_common.events.catalogue.fields import Moment, Text, Whole, WireSchema, YesNo

FINAL_STATES = (
    "successful",
    "partiallySuccessful",
    "failed",
    "cancelled",
    "malformed",
    "notAuthorized",
    "deleted",
)
STATES = ("started", "inProgress", "inProgressWithWarnings", "inProgressWithFailures", *FINAL_STATES)


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One end of a transfer. The hub's own agents name no queue manager: the record of transfers adds it."""

    name: str
    qmgr: str | None = None


@dataclass(frozen=True, kw_only=True)
class Originator:
    """The requester: its account, its host, and the session's label where there is one."""

    account: str
    host: str
    mqmd_user: str | None = None
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Counters of a transfer so far. They are absolute, so that an event may be handled twice."""

    files: int = 0
    successes: int = 0
    failures: int = 0
    warnings: int = 0
    bytes_sent: int = 0
    retries: int = 0


@dataclass(frozen=True, kw_only=True)
class Side:
    """The source or destination of an item; `path` is the caller's name for it, never a path on the hub's disk.

    `size` is in bytes, `modified_at` in milliseconds. `disposition` belongs to a source, `if_exists` to a destination,
    and the members from `name` on to a queue.
    """

    type: str = "file"
    path: str | None = None
    size: int | None = None
    modified_at: int | None = None
    sha256: str | None = None
    md5: str | None = None
    encoding: str | None = None
    end_of_line: str | None = None
    disposition: str | None = None
    if_exists: str | None = None
    name: str | None = None
    message_count: int | None = None
    message_length: int | None = None
    message_or_group_id: str | None = None
    delimiter_type: str | None = None
    delimiter: str | None = None
    delimiter_position: str | None = None
    include_delimiter: bool | None = None
    set_mq_properties: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file or queue of a transfer; its `index` never changes."""

    index: int
    state: str
    mode: str = "binary"
    description: str = ""
    source: Side = field(default_factory=Side)
    destination: Side = field(default_factory=Side)


class AgentSchema(WireSchema):
    """JSON of an agent."""

    shape: ClassVar[type | None] = Agent
    name = Text(required=True)
    qmgr = Text()


class OriginatorSchema(WireSchema):
    """JSON of an originator."""

    shape: ClassVar[type | None] = Originator
    account = Text(required=True)
    host = Text(required=True)
    mqmd_user = Text()
    label = Text()


class TotalsSchema(WireSchema):
    """JSON of the totals."""

    shape: ClassVar[type | None] = Totals
    files = Whole(required=True)
    successes = Whole(required=True)
    failures = Whole(required=True)
    warnings = Whole(required=True)
    bytes_sent = Whole(required=True)
    retries = Whole(required=True)


class SideSchema(WireSchema):
    """JSON of an item's source or destination."""

    shape: ClassVar[type | None] = Side
    type = Text(required=True, validate=validate.OneOf(("file", "queue", "dataset")))
    path = Text()
    size = Whole()
    modified_at = Moment()
    sha256 = Text()
    md5 = Text()
    encoding = Text()
    end_of_line = Text()
    disposition = Text()
    if_exists = Text()
    name = Text()
    message_count = Whole()
    message_length = Whole()
    message_or_group_id = Text()
    delimiter_type = Text()
    delimiter = Text()
    delimiter_position = Text()
    include_delimiter = YesNo()
    set_mq_properties = YesNo()


class ItemSchema(WireSchema):
    """JSON of an item."""

    shape: ClassVar[type | None] = Item
    index = Whole(required=True)
    mode = Text(required=True, validate=validate.OneOf(("binary", "text")))
    state = Text(required=True, validate=validate.OneOf(STATES))
    description = Text(required=True)
    source = fields.Nested(SideSchema, required=True)
    destination = fields.Nested(SideSchema, required=True)
