"""Build the transfer events of an execution over files (94, 111)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mft_common.events import Agent, Event, Item, Originator, Side, Totals, TransferProgressed, TransferStarted
from mft_common.events.transfer_builder import TransferEvents
from mft_common.storable_text import storable
from sertainty_svc.domain.executions import Execution, ExecutionFile, FileCounts

PROTOCOL: Final = "data-protector"
_AGENT: Final = Agent(name="DATAPROTECTOR")
_STATES: Final[Mapping[str, str]] = {
    "waiting": "started", "moving": "inProgress", "delivered": "inProgress", "successful": "successful",
    "failed": "failed", "later": "cancelled",
}  # fmt: skip


@dataclass(frozen=True)
class TransferReport:
    """The events of executions that are transfers; `host` is that of the hub."""

    host: str

    def started(self, execution: Execution, counts: FileCounts, files: Sequence[ExecutionFile]) -> TransferStarted:
        """Return the first event; more than 1,000 files are told by the events of progress."""
        known = [_item(execution, one, _STATES[one.state]) for one in files]
        return self._transfer(execution).started(_totals(counts), known)

    def progressed(
        self, execution: Execution, counts: FileCounts, changed: Sequence[ExecutionFile]
    ) -> list[TransferProgressed]:
        """Return the events of progress; `changed` are the files that changed since the last ones."""
        items = [_item(execution, one, _STATES[one.state]) for one in changed]
        return self._transfer(execution).progressed(_totals(counts), items)

    def ending(
        self, execution: Execution, counts: FileCounts, files: Iterable[ExecutionFile], *, error: str, at: int
    ) -> Iterator[Event]:
        """Yield the last events: files that were not over are cancelled, and `error` is the execution's."""
        items = (_item(execution, one, _STATES[one.state] if one.over else "cancelled") for one in files)
        state = outcome(counts, error)
        return self._transfer(execution).ending(state, _totals(counts), items, at, lambda: storable(error))

    def _transfer(self, execution: Execution) -> TransferEvents:
        return TransferEvents(
            transfer_id=execution.transfer_id,
            protocol=PROTOCOL,
            source_agent=_AGENT,
            destination_agent=_AGENT,
            originator=Originator(account=execution.account, host=self.host),
            submitted_at=execution.queued_at,
            began_at=execution.began_at,
            job_name=execution.task,
            user_properties={
                "crossdock.protocol": PROTOCOL,
                "crossdock.task": f"{execution.configuration}/{execution.task}",
            },
            caused_by=execution.caused_by,
        )


def outcome(counts: FileCounts, error: str) -> str:
    """Return the final state of a transfer: one that nothing was wrong with and that moved nothing is cancelled."""
    if counts.failures == 0 and not error:
        return "successful" if counts.successes or not counts.files else "cancelled"
    return "partiallySuccessful" if counts.successes else "failed"


def _totals(counts: FileCounts) -> Totals:
    return Totals(
        files=counts.files,
        successes=counts.successes,
        failures=counts.failures,
        bytes_sent=counts.bytes_sent,
        retries=counts.retries,
    )


def _item(execution: Execution, file: ExecutionFile, state: str) -> Item:
    folders, definition = execution.definition.folders, execution.definition
    delivered = file.state in ("delivered", "successful")
    return Item(
        index=file.position,
        state=state,
        description=storable(file.description),
        source=Side(
            path=_path(folders.source, file.path),
            size=file.size,
            modified_at=file.modified_at,
            sha256=file.source_sha256 or None,
            disposition="delete" if definition.deletes_source else "leave",
        ),
        destination=Side(
            path=_path(folders.destination, file.destination) if file.destination else None,
            size=file.delivered_size if delivered else None,
            sha256=file.delivered_sha256 or None,
            if_exists="overwrite" if definition.replace else "error",
        ),
    )


def _path(folder: str, path: str) -> str:
    """Return the name of a file as the task has it: `in/crate.bin`."""
    return storable(f"{folder.rstrip('/')}/{path}")
