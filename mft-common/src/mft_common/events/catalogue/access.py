"""Events of accounts and sessions."""

from dataclasses import dataclass
from typing import ClassVar

from marshmallow import validate

from mft_common.events.catalogue.event import Event
from mft_common.events.catalogue.fields import Text, Whole, WireSchema

CLOSE_REASONS = ("closed", "idle", "absolute", "evicted", "account")


class SessionOpenedSchema(WireSchema):
    """JSON of `session.opened.v1`."""

    service = Text(required=True)
    public_id = Text(required=True)
    account = Text(required=True)
    label = Text(required=True)
    address = Text(required=True)


class SessionClosedSchema(SessionOpenedSchema):
    """JSON of `session.closed.v1`."""

    reason = Text(required=True, validate=validate.OneOf(CLOSE_REASONS))


@dataclass(frozen=True, kw_only=True)
class SessionEvent(Event):
    """A session of `service`, named by its public id; its token is in no event."""

    service: str
    public_id: str
    account: str
    label: str = ""
    address: str = ""

    def subject(self) -> str:
        """Return the session's public id."""
        return self.public_id


@dataclass(frozen=True, kw_only=True)
class SessionOpened(SessionEvent):
    """A client logged in."""

    TYPE: ClassVar[str] = "session.opened.v1"
    SCHEMA: ClassVar[WireSchema] = SessionOpenedSchema()


@dataclass(frozen=True, kw_only=True)
class SessionClosed(SessionEvent):
    """A session ended: `closed` by its owner, `idle` or `absolute` limit, `evicted`, or its `account` changed."""

    TYPE: ClassVar[str] = "session.closed.v1"
    SCHEMA: ClassVar[WireSchema] = SessionClosedSchema()
    reason: str


class AccountChangedSchema(WireSchema):
    """JSON of `account.changed.v1`."""

    name = Text(required=True)
    revision = Whole(required=True)
    what = Text(required=True)


@dataclass(frozen=True, kw_only=True)
class AccountChanged(Event):
    """An account was made, changed or removed, as `what` says; `revision` counts its changes."""

    TYPE: ClassVar[str] = "account.changed.v1"
    SCHEMA: ClassVar[WireSchema] = AccountChangedSchema()
    name: str
    revision: int
    what: str

    def subject(self) -> str:
        """Return the account's name."""
        return self.name
