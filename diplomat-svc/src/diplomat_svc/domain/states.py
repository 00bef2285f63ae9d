"""The vendor's words for a job's status and its end, and what each end counts as."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
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
DELIVERED: Final = (SUCCESSFUL, WARNING)
COMPLETIONS: Final = (
    *(PREVIEW_LICENSE, NOT_FOUND, REQUIRED_NOT_FOUND, SUCCESSFUL, WARNING, FAILURE, CRITICAL),
    *(CANCELLED, TERMINATED, INCOMPLETE, MISSED),
)

# The row of the eight cells that the end of a transaction's last job is counted in (A41).
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
# The state of each end in the record of all transfers (ibm-mq-mft.md 205).
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


class Severity(StrEnum):
    """The severity of a record in a job's log (58)."""

    INFORMATIONAL = "Informational"
    WARNING = "Warning"
    ERROR = "Error"
    CRITICAL = "Critical"


def severity_of(completion: str | None) -> Severity:
    """Return the severity of the record that reports the end of a file or a job."""
    if completion == SUCCESSFUL:
        return Severity.INFORMATIONAL
    if completion == CRITICAL:
        return Severity.CRITICAL
    return Severity.ERROR if completion == FAILURE else Severity.WARNING


def cell(direction: str, completion: str | None) -> tuple[int, int]:
    """Return row and column of the cell that a transaction is counted in, by its last job's end (A41)."""
    return (_ROWS[completion] if completion else 0), (0 if direction == "inbound" else 1)


def completion_of_lost(definition: Transaction, status: str) -> str:
    """Return how a job ends whose worker died: Missed where it had not begun and files were required (E15)."""
    return MISSED if status in WAITING and definition.fail_if_not_found else INCOMPLETE


def completion_of_files(completions: Iterable[str | None]) -> str:
    """Return a job's end from those of its files: one failure is a failure, one warning a warning (E25).

    A file is Incomplete where it is not known whether it was delivered.
    """
    seen = set(completions)
    return next((word for word in (FAILURE, INCOMPLETE, WARNING) if word in seen), SUCCESSFUL)
