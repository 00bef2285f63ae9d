"""Describe jobs and their files as transactionStatuses and jobHistories tell them, with fewer values than records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from diplomat_svc.domain.jobs import token_of
from diplomat_svc.domain.states import COMPLETE


class FileHistory(NamedTuple):
    """One file of a job, as its record has it; times in milliseconds."""

    source: str
    destination: str
    began_at: int
    ended_at: int | None
    status: str
    completion: str | None
    size: int
    retries: int


class JobHistory(NamedTuple):
    """One job, as its record has it; times in milliseconds. `name` is that of its transaction when it was scheduled.

    `next_scheduled` is when the schedule starts the next one; of the most recent job alone (67).
    """

    sequence: int
    transaction_id: int
    name: str
    scheduled_at: int
    updated_at: int
    ended_at: int | None
    status: str
    completion: str | None
    found: int
    successful: int
    failed: int
    attempt: int
    bytes_total: int
    bytes_done: int
    next_scheduled: int | None = None

    @property
    def token(self) -> str:
        """The sequence as answers and logs show it."""
        return token_of(self.sequence)

    @property
    def fraction(self) -> float:
        """The share of the bytes that is moved; 1.0 when the job is over (A43)."""
        if self.status == COMPLETE:
            return 1.0
        return min(self.bytes_done / self.bytes_total, 1.0) if self.bytes_total else 0.0


class TransactionStatus(NamedTuple):
    """A transaction with its most recent job, if there ever was one."""

    id: int
    name: str
    direction: str
    state: str
    job: JobHistory | None
    files: tuple[FileHistory, ...]


@dataclass(frozen=True, kw_only=True)
class Statuses:
    """An answer of transactionStatuses: when it was collected, the eight cells, and what changed."""

    monitor_time: int
    cells: Mapping[tuple[int, int], int]
    transactions: tuple[TransactionStatus, ...]
