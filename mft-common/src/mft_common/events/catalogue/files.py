"""Events of files in the hub's own store."""

from dataclasses import dataclass
from typing import ClassVar

from marshmallow import validate

from mft_common.events.catalogue.event import Event
from mft_common.events.catalogue.fields import TRANSFER_ID, Row, Text, Whole, WireSchema


class FileSchema(WireSchema):
    """Members that all events of a file have."""

    account = Text(required=True)
    address = Text(required=True)
    path = Text(required=True)
    fileset = Whole(required=True)
    size = Whole(required=True)
    sha256 = Text(required=True)
    datatype = Text(required=True)
    correlation_id = Text()


class FileStoredSchema(FileSchema):
    """JSON of `file.stored.v1`."""

    transfer_id = Text(required=True, validate=TRANSFER_ID)
    replaced = Whole()


class FileReadSchema(FileSchema):
    """JSON of `file.read.v1`."""

    transfer_id = Text(required=True, validate=TRANSFER_ID)


class FileDescribedSchema(FileSchema):
    """JSON of `file.described.v1`."""

    keys = Row(Text(), required=True)
    transfer_id = Text(validate=TRANSFER_ID)


class FileDeletedSchema(FileSchema):
    """JSON of `file.deleted.v1`."""

    reason = Text(required=True, validate=validate.OneOf(("deleted", "expired")))
    transfer_id = Text(validate=TRANSFER_ID)


@dataclass(frozen=True, kw_only=True)
class FileEvent(Event):
    """A file's `path`, content (`fileset`, `size` in bytes, `sha256`, `datatype`), and the acting account and address.

    `correlation_id` is the file's own attribute where it is set; the request's id is in the envelope.
    """

    account: str
    address: str
    path: str
    fileset: int
    size: int
    sha256: str
    datatype: str
    correlation_id: str | None = None

    def subject(self) -> str:
        """Return the path."""
        return self.path


@dataclass(frozen=True, kw_only=True)
class FileStored(FileEvent):
    """A file has a new content; `replaced` is the id of the former content, if any."""

    TYPE: ClassVar[str] = "file.stored.v1"
    SCHEMA: ClassVar[WireSchema] = FileStoredSchema()
    transfer_id: str
    replaced: int | None = None


@dataclass(frozen=True, kw_only=True)
class FileRead(FileEvent):
    """A client was sent a file."""

    TYPE: ClassVar[str] = "file.read.v1"
    SCHEMA: ClassVar[WireSchema] = FileReadSchema()
    transfer_id: str


@dataclass(frozen=True, kw_only=True)
class FileDescribed(FileEvent):
    """Custom metadata was written; `keys` are the names, and the values are in no event."""

    TYPE: ClassVar[str] = "file.described.v1"
    SCHEMA: ClassVar[WireSchema] = FileDescribedSchema()
    keys: tuple[str, ...]
    transfer_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class FileDeleted(FileEvent):
    """A file was removed; `reason` is `deleted` or `expired`."""

    TYPE: ClassVar[str] = "file.deleted.v1"
    SCHEMA: ClassVar[WireSchema] = FileDeletedSchema()
    reason: str
    transfer_id: str | None = None
