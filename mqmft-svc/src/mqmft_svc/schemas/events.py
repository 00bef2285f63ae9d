"""Turn the events of transfers into changes of the record (4.A, 4.B)."""

from collections.abc import Iterator
from typing import Any, Final

from mft_common.events import Envelope, Item, TransferEnded, TransferProgressed, TransferStarted
from mft_common.storable_text import storable
from mqmft_svc.domain import transfers
from mqmft_svc.domain.descriptions import item_description
from mqmft_svc.domain.states import is_final
from mqmft_svc.domain.transfers import COUNTERS, FINAL_SEQUENCE, Change, Head

# The user property by which the record shows the transfer whose file set another one off.
CAUSED_BY: Final = "crossdock.caused_by"


def _head(event: TransferStarted | TransferEnded, rank: int) -> Head:
    origin = event.originator
    texts = {
        "source_agent": event.source_agent.name,
        "source_qmgr": event.source_agent.qmgr or "",
        "destination_agent": event.destination_agent.name,
        "destination_qmgr": event.destination_agent.qmgr or "",
        "host": origin.host,
        "account": origin.account,
        "mqmd_user": origin.mqmd_user or "",
        "label": origin.label or "",
        "job_name": event.job_name,
    }
    properties = dict(event.user_properties)
    if event.caused_by:
        properties[CAUSED_BY] = event.caused_by
    return Head(rank=rank, submitted_at=event.submitted_at, texts=texts, user_properties=properties)


def _leaves(one: Item) -> Iterator[tuple[str, Any]]:
    yield "mode", one.mode
    yield "state", one.state
    yield "description", item_description(one.state, one.description)
    for side, values in (("source", one.source), ("destination", one.destination)):
        for name, value in vars(values).items():
            if value is not None:
                # An event that has not been written yet may have bytes of a name that are no text.
                yield f"{side}.{name}", storable(value) if isinstance(value, str) else value


def change_of(envelope: Envelope[Any]) -> Change:
    """Return the change of the record that an event of a transfer stands for."""
    return change_of_event(envelope.data, envelope.time, envelope.sequence)


def change_of_event(event: Any, time: int, sequence: int) -> Change:
    """Return the change that an event stands for, of which `time` and `sequence` of its envelope are given."""
    over = isinstance(event, TransferEnded)
    # An ended event has the final state of its items, and only an ended event ends a transfer.
    of_items = FINAL_SEQUENCE if over else sequence
    state = event.state if over or not is_final(event.state) else "inProgress"
    items = tuple(
        transfers.Item(position=one.index, sequence=of_items, leaves=dict(_leaves(one))) for one in event.items or ()
    )
    return Change(
        id=event.transfer_id,
        protocol=event.protocol,
        time=time,
        sequence=sequence,
        state=state,
        description=event.description,
        counters={name: getattr(event.totals, name) for name in COUNTERS},
        items=items,
        head=None if isinstance(event, TransferProgressed) else _head(event, 2 if over else 1),
        began_at=event.began_at,
        ended_at=event.ended_at if over else None,
    )
