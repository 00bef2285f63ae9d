"""Carry events between services: a catalogue, an outbox and an inbox in each database, and two buses between them.

`LocalBus` needs no broker. `mft_common.events.rabbit.RabbitBus` needs RabbitMQ, and is imported where it is used.
"""

from mft_common.events.backlog import Backlog
from mft_common.events.bus import Bus, DeadLetter
from mft_common.events.catalogue import (
    EVENTS,
    AccountChanged,
    Event,
    FileDeleted,
    FileDescribed,
    FileRead,
    FileStored,
    JobChanged,
    SessionClosed,
    SessionOpened,
    TaskChanged,
    TransferEnded,
    TransferProgressed,
    TransferStarted,
)
from mft_common.events.catalogue.items import FINAL_STATES, STATES, Agent, Item, Originator, Side, Totals
from mft_common.events.delivery import BatchHandler, Handler, Handlers, RetryPolicy
from mft_common.events.envelope import Envelope
from mft_common.events.errors import EventError
from mft_common.events.inbox import Inbox
from mft_common.events.local_bus import LocalBus
from mft_common.events.outbox import Outbox

__all__ = [
    "EVENTS",
    "FINAL_STATES",
    "STATES",
    "AccountChanged",
    "Agent",
    "Backlog",
    "BatchHandler",
    "Bus",
    "DeadLetter",
    "Envelope",
    "Event",
    "EventError",
    "FileDeleted",
    "FileDescribed",
    "FileRead",
    "FileStored",
    "Handler",
    "Handlers",
    "Inbox",
    "Item",
    "JobChanged",
    "LocalBus",
    "Originator",
    "Outbox",
    "RetryPolicy",
    "SessionClosed",
    "SessionOpened",
    "Side",
    "TaskChanged",
    "Totals",
    "TransferEnded",
    "TransferProgressed",
    "TransferStarted",
]
