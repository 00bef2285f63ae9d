"""What a job is, the words for its states, and what each end of it counts as."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from diplomat_svc.domain.transactions import Transaction

DELAYED, QUEUED, RUNNING, COMPLETE = "Delayed", "Queued", "Running", "Complete"
CANCELLING, TERMINATING, ABORTING = "Cancelling", "Terminating", "Aborting"
WAITING: Final = (DELAYED, QUEUED)
ACTIVE: Final = (RUNNING, CANCELLING, TERMINATING, ABORTING)

PREVIEW_LICENSE = "Preview License"
NOT_FOUND = "File(s) not Found"
REQUIRED_NOT_FOUND = "Required File(s) Not Found"
SUCCESSFUL, WARNING, FAILURE, CRITICAL = "Successful", "Warning", "Failure", "Critical"
CANCELLED, TERMINATED, INCOMPLETE, MISSED = "Cancelled", "Terminated", "Incomplete", "Missed"

# Which row of the eight cells a last job's end is counted in (A41).
_ROWS: Final[Mapping[str, int]] = {
    SUCCESSFUL: 0,
    NOT_FOUND: 0,
    WARNING: 1,
    REQUIRED_NOT_FOUND: 1,
    CANCELLED: 1,
    TERMINATED: 1,
    PREVIEW_LICENSE: 1,
    FAILURE: 2,
    INCOMPLETE: 2,
    MISSED: 2,
    CRITICAL: 3,
}
# What the record of all transfers calls each end (ibm-mq-mft.md 205).
TRANSFER_STATES: Final[Mapping[str, str]] = {
    SUCCESSFUL: "successful",
    NOT_FOUND: "successful",
    WARNING: "successful",
    CANCELLED: "cancelled",
    TERMINATED: "cancelled",
    PREVIEW_LICENSE: "failed",
    REQUIRED_NOT_FOUND: "failed",
    FAILURE: "failed",
    CRITICAL: "failed",
    INCOMPLETE: "failed",
    MISSED: "failed",
}


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asked for a job: the account, and the label and address of its session."""

    account: str
    label: str = ""
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """One file of a job; times in milliseconds, `size` in bytes of the source, `place` its place for ever."""

    place: int
    source: str
    destination: str
    size: int
    began_at: int
    ended_at: int | None = None
    status: str = RUNNING
    completion: str | None = None
    retries: int = 0
    sha256: str | None = None
    bytes_done: int = 0
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of a transaction; times in milliseconds, `scheduled_at` is the only key that a client gets (38)."""

    sequence: int
    transaction_id: int
    definition: Transaction
    variables: Mapping[str, str] = field(default_factory=dict)
    asker: Asker
    transfer_id: str
    scheduled_at: int
    updated_at: int
    began_at: int | None = None
    ended_at: int | None = None
    status: str = QUEUED
    completion: str | None = None
    found: int = 0
    successful: int = 0
    failed: int = 0
    warnings: int = 0
    attempt: int = 1
    bytes_total: int = 0
    bytes_done: int = 0
    lease: int = 0

    @property
    def token(self) -> str:
        """The mark of this job's unfinished files."""
        return f"{self.sequence:016d}"

    @property
    def fraction(self) -> float:
        """How much of the job is done, by bytes; 1.0 when it is over (A43)."""
        if self.status == COMPLETE:
            return 1.0
        return min(self.bytes_done / self.bytes_total, 1.0) if self.bytes_total else 0.0


@dataclass(frozen=True, kw_only=True)
class TransactionStatus:
    """A transaction with its most recent job, if there ever was one."""

    id: int
    name: str
    direction: str
    state: str
    job: Job | None = None
    files: tuple[FileRecord, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Statuses:
    """An answer of transactionStatuses: when it was collected, the eight cells, and what changed."""

    monitor_time: int
    cells: Mapping[tuple[int, int], int]
    transactions: tuple[TransactionStatus, ...]


def cell(direction: str, completion: str | None) -> tuple[int, int]:
    """Return row and column of the cell that a transaction is counted in, by its last job's end (A41)."""
    return (_ROWS[completion] if completion else 0), (0 if direction == "inbound" else 1)


def lost(definition: Transaction, status: str) -> str:
    """Return how a job ends whose worker is gone: it had begun, or it never will (E15)."""
    return MISSED if status in WAITING and definition.fail_if_not_found else INCOMPLETE


def sum_up(completions: Iterable[str | None]) -> str:
    """Return a job's end from those of its files: one failure is a failure, one warning a warning (E25)."""
    seen = set(completions)
    return FAILURE if FAILURE in seen else WARNING if WARNING in seen else SUCCESSFUL
