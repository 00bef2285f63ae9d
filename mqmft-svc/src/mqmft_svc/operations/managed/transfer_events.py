"""Build the events of a managed transfer; the record is built from them as from those of every other service."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mft_common.events import Agent, Event, Item, Originator, Side, Totals, TransferProgressed, TransferStarted
from mft_common.events.transfer_builder import TransferEvents
from mqmft_svc.domain.descriptions import BEFORE_THE_FIRST
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.managed_files import OVER, FileCounts, ManagedFile
from mqmft_svc.domain.queues import shown
from mqmft_svc.domain.submissions import AgentRequest, Destination, ItemRequest, Source
from mqmft_svc.operations.managed.queue_sides import queue_reason, queue_side

PROTOCOL: Final = "ibm-mq-mft"
_STATES: Final[Mapping[str, str]] = {
    "waiting": "started", "moving": "inProgress", "successful": "successful", "warning": "successful",
    "failed": "failed",
}  # fmt: skip
_NAME_ONLY: Final = ("file", "directory")


def started(transfer: Managed, description: str = "") -> TransferStarted:
    """Return the event of a new transfer, with its items as far as they are known: where each is one thing (179)."""
    known = _known(transfer, "started", "")
    return _transfer(transfer).started(Totals(files=len(known or ())), known, description)


def progressed(transfer: Managed, counts: FileCounts, changed: Sequence[ManagedFile]) -> list[TransferProgressed]:
    """Return the events of a transfer's progress; `changed` are the files that changed since the last ones."""
    totals = _totals(transfer, counts)
    if not counts.files:
        totals = replace(totals, files=len(_known(transfer, "started", "") or ()))
    return _transfer(transfer).progressed(totals, [_item(transfer, one) for one in changed])


def ended(transfer: Managed, files: Sequence[ManagedFile], state: str, at: int, description: str = "") -> list[Event]:
    """Return the events of a transfer's end: items that were not over end as the transfer does, and are counted (75).

    Where none was looked for, the items of the request end so, with the description of the transfer.
    """
    counts = FileCounts()
    for one in files:
        counts.add(one)
    return list(ending(transfer, counts, files, state=state, at=at, description=description))


def ending(
    transfer: Managed, counts: FileCounts, files: Iterable[ManagedFile], *, state: str, at: int, description: str
) -> Iterator[Event]:
    """Yield the events of `ended` one by one, for more files than fit into memory; `counts` are those of all."""
    last = "failed" if state == "partiallySuccessful" else state
    totals, known, reason = _totals(transfer, counts), None, ""
    if not counts.files:
        known = _known(transfer, last, description) or []
        totals = replace(totals, files=len(known), failures=len(known) if state == "failed" else 0)
        if known and state == "failed" and description:
            description = f"{BEFORE_THE_FIRST}: {description}"
    elif state == "failed":
        totals = replace(totals, failures=totals.files - totals.successes)

    def items() -> Iterator[Item]:
        nonlocal reason
        for one in files:
            reason = reason or queue_reason(transfer, one)
            item = _item(transfer, one)
            yield item if one.state in OVER else replace(item, state=last)
        yield from known or ()

    def describe() -> str:
        return description or (reason if state == "failed" else "")

    return _transfer(transfer).ending(state, totals, items(), at, describe)


def outcome(counts: FileCounts) -> str:
    """Return the final state of a transfer that nobody stopped (4.C)."""
    if counts.arrived == counts.files:
        return "successful"
    return "partiallySuccessful" if counts.arrived else "failed"


def _transfer(transfer: Managed) -> TransferEvents:
    submission = transfer.submission
    return TransferEvents(
        transfer_id=transfer.id,
        protocol=PROTOCOL,
        source_agent=_agent(submission.source_agent),
        destination_agent=_agent(submission.destination_agent),
        originator=Originator(account=transfer.account, host=transfer.host),
        submitted_at=transfer.submitted_at,
        began_at=transfer.began_at,
        job_name=submission.job_name,
        user_properties=submission.user_properties,
        caused_by=transfer.caused_by,
    )


def _agent(agent: AgentRequest) -> Agent:
    return Agent(name=agent.name, qmgr=agent.qmgr)


def _totals(transfer: Managed, counts: FileCounts) -> Totals:
    return Totals(
        files=counts.files,
        successes=counts.arrived,
        failures=counts.failures,
        warnings=counts.warnings,
        bytes_sent=counts.bytes_done,
        retries=transfer.retries,
    )


def _known(transfer: Managed, state: str, description: str) -> list[Item] | None:
    """Return the items before a file was looked for, None where a pattern or a folder stands for some (179)."""
    items = transfer.submission.items
    if not all(map(_is_one, items)):
        return None
    return [_requested(transfer, number, state, description) for number in range(len(items))]


def _is_one(item: ItemRequest) -> bool:
    """Return whether an item of a request will be one item of the record."""
    kinds = (item.source.type, item.destination.type)
    return "directory" not in kinds and (item.source.type == "queue" or not set("*?") & set(item.source.name))


def _requested(transfer: Managed, number: int, state: str, description: str) -> Item:
    item = transfer.submission.items[number]
    return Item(
        index=number,
        state=state,
        mode=item.mode,
        description=description,
        source=_side(transfer, item, item.source, path=item.source.name),
        destination=_side(transfer, item, item.destination, path=item.destination.name),
    )


def _item(transfer: Managed, file: ManagedFile) -> Item:
    request = transfer.submission.items[file.item]
    over = file.delivered
    read = {"size": file.size, "modified_at": file.modified_at, "md5": file.source_md5}
    written = {
        "size": file.delivered_size if over else file.bytes_done,
        "modified_at": file.delivered_at if over else None,
        "md5": file.delivered_md5 if over else None,
    }
    return Item(
        index=file.position,
        state=_STATES[file.state],
        mode=request.mode,
        description=file.description,
        source=_side(transfer, request, request.source, path=file.source, file=file, **read),
        destination=_side(transfer, request, request.destination, path=file.destination, file=file, **written),
    )


def _side(
    transfer: Managed,
    item: ItemRequest,
    side: Source | Destination,
    *,
    path: str,
    file: ManagedFile | None = None,
    **values: Any,
) -> Side:
    if side.type == "queue":
        is_source = isinstance(side, Source)
        agent = transfer.submission.source_agent if is_source else transfer.submission.destination_agent
        return queue_side(side, shown(path, agent.qmgr), file, md5=values.get("md5"))
    if side.type not in _NAME_ONLY:
        return Side(type="dataset", name=path)
    text = item.mode == "text"
    return Side(
        path=path,
        encoding=side.encoding if text else None,
        end_of_line=side.end_of_line if text else None,
        **({"disposition": side.disposition} if isinstance(side, Source) else {"if_exists": side.if_exists}),
        **values,
    )
