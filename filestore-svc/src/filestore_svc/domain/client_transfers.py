"""Report an upload or a download by a client as a transfer, and all of its events in one composite."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

from mft_common.events.catalogue.event import CompositeEvent, Event
from mft_common.events.catalogue.fields import TRANSFER_ID, Moment, Text, Whole, WireSchema
from mft_common.events.catalogue.files import FileEvent, FileRead, FileSchema, FileStored
from mft_common.events.catalogue.items import Agent, Item, Originator, Side, Totals
from mft_common.events.catalogue.transfers import TransferEnded, TransferStarted
from mft_common.events.transfer_builder import TransferEvents, totals_of_one

PROTOCOL: Final = "http-mft"
CLIENT: Final = Agent(name="CLIENT")
FILESTORE: Final = Agent(name="FILESTORE")


class Outcome(NamedTuple):
    """The end of a transfer at the time `at` (milliseconds, 0 for now); successful when `reason` is empty."""

    reason: str = ""
    cancelled: bool = False
    at: int = 0
    bytes_sent: int = 0
    fileset: int | None = None
    size: int | None = None
    sha256: str | None = None
    modified_at: int | None = None


_OPEN: Final = Outcome()
_ONE: Final = Totals(files=1)
# The hub does not know where a client stores its download.
_NOWHERE: Final = Side()


@dataclass(eq=False, kw_only=True)
class ClientTransfer:
    """An upload (`source` is the client's name, `destination` the path) or a download (`source` is the path)."""

    transfer_id: str
    upload: bool
    account: str
    address: str
    label: str
    submitted_at: int
    source: str
    destination: str | None = None
    if_exists: str | None = None
    fileset: int | None = None

    def started(self) -> TransferStarted:
        """Return the event of its beginning."""
        return self._transfer(self.fileset).started(_ONE, (self._item("started", _OPEN),))

    def ended(self, outcome: Outcome, at: int) -> Event:
        """Return the event of its end."""
        state = "cancelled" if outcome.cancelled else "failed" if outcome.reason else "successful"
        totals = totals_of_one(failed=bool(outcome.reason), bytes_sent=outcome.bytes_sent)
        items = (self._item(state, outcome),)
        (event,) = self._transfer(outcome.fileset or self.fileset).ended(state, totals, items, at, outcome.reason)
        return event

    def _transfer(self, fileset: int | None) -> TransferEvents:
        properties = {"crossdock.protocol": PROTOCOL}
        if fileset is not None:
            properties["crossdock.fileset"] = str(fileset)
        return TransferEvents(
            transfer_id=self.transfer_id,
            protocol=PROTOCOL,
            began_at=self.submitted_at,
            source_agent=CLIENT if self.upload else FILESTORE,
            destination_agent=FILESTORE if self.upload else CLIENT,
            originator=Originator(account=self.account, host=self.address, label=self.label or None),
            submitted_at=self.submitted_at,
            user_properties=properties,
        )

    def _item(self, state: str, outcome: Outcome) -> Item:
        content: dict[str, Any] = {"size": outcome.size, "sha256": outcome.sha256}
        times: dict[str, Any] = {"modified_at": outcome.modified_at}
        if self.upload:
            source = Side(path=self.source, **content)
            target = Side(path=self.destination, if_exists=self.if_exists, **content, **times)
        else:
            source, target = Side(path=self.source, **content, **times), _NOWHERE
        return Item(index=0, state=state, description=outcome.reason, source=source, destination=target)


class _TransferCompletedSchema(FileSchema):
    """Members of both composites, in addition to those of file events."""

    transfer_id = Text(required=True, validate=TRANSFER_ID)
    label = Text(required=True)
    submitted_at = Moment(required=True)
    modified_at = Moment(required=True)
    ended_at = Moment(required=True)


class DownloadCompletedSchema(_TransferCompletedSchema):
    """JSON of `download.completed.v1`."""


class UploadCompletedSchema(_TransferCompletedSchema):
    """JSON of `upload.completed.v1`."""

    source = Text(required=True)
    if_exists = Text()
    replaced = Whole()


@dataclass(frozen=True, kw_only=True)
class _TransferCompleted(FileEvent, CompositeEvent, ABC):
    """A transfer of one whole file between a client and the store in one request; times in milliseconds."""

    transfer_id: str
    label: str
    submitted_at: int
    modified_at: int
    ended_at: int

    def _file_members(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "address": self.address,
            "path": self.path,
            "fileset": self.fileset,
            "size": self.size,
            "sha256": self.sha256,
            "datatype": self.datatype,
            "correlation_id": self.correlation_id,
            "transfer_id": self.transfer_id,
        }

    def part(self, number: int) -> Event:
        """Return the event of the file (0), of the transfer's beginning (1), or of its end (2)."""
        if not number:
            return self._file_event()
        transfer = self._transfer()
        if number == 1:
            return transfer.started()
        outcome = Outcome(
            bytes_sent=self.size,
            fileset=self.fileset,
            size=self.size,
            sha256=self.sha256,
            modified_at=self.modified_at,
        )
        return transfer.ended(outcome, self.ended_at)

    @abstractmethod
    def _file_event(self) -> Event:
        """Return the event of the file."""

    @abstractmethod
    def _transfer(self) -> ClientTransfer:
        """Return the transfer."""

    def _client_transfer(self, **members: Any) -> ClientTransfer:
        return ClientTransfer(
            transfer_id=self.transfer_id,
            account=self.account,
            address=self.address,
            label=self.label,
            submitted_at=self.submitted_at,
            **members,
        )


@dataclass(frozen=True, kw_only=True)
class DownloadCompleted(_TransferCompleted):
    """A client downloaded a whole file."""

    TYPE: ClassVar[str] = "download.completed.v1"
    SCHEMA: ClassVar[WireSchema] = DownloadCompletedSchema()
    PARTS: ClassVar[tuple[type[Event], ...]] = (FileRead, TransferStarted, TransferEnded)

    def _file_event(self) -> Event:
        return FileRead(**self._file_members())

    def _transfer(self) -> ClientTransfer:
        return self._client_transfer(upload=False, source=self.path, fileset=self.fileset)


@dataclass(frozen=True, kw_only=True)
class UploadCompleted(_TransferCompleted):
    """A client uploaded a whole file; `replaced` is the id of the former content, if any."""

    TYPE: ClassVar[str] = "upload.completed.v1"
    SCHEMA: ClassVar[WireSchema] = UploadCompletedSchema()
    PARTS: ClassVar[tuple[type[Event], ...]] = (FileStored, TransferStarted, TransferEnded)
    source: str
    if_exists: str | None = None
    replaced: int | None = None

    def _file_event(self) -> Event:
        return FileStored(**self._file_members(), replaced=self.replaced)

    def _transfer(self) -> ClientTransfer:
        return self._client_transfer(upload=True, source=self.source, destination=self.path, if_exists=self.if_exists)
