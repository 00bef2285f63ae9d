"""The records of jobs and of their files, as the store holds them and answers show them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from diplomat_svc.domain.states import DELIVERED, QUEUED, RUNNING
from diplomat_svc.domain.transactions import Transaction

# The last digits of a transfer's id, which nobody else has had.
_OWN_DIGITS: Final = 16


def token_of(sequence: int) -> str:
    """Return a job's sequence as answers and logs show it."""
    return f"{sequence:016d}"


def temporary_token_of(sequence: int, transfer_id: str) -> str:
    """Return the token in the names of a job's temporary files: its sequence, and what only its transfer's id has.

    Jobs of two hubs that deliver into one folder may have the same sequence, and must not take each other's files.
    """
    return token_of(sequence) + transfer_id[-_OWN_DIGITS:]


@dataclass(frozen=True, kw_only=True)
class Requester:
    """The client that requested a job: its account, and the label and address of its session."""

    account: str
    label: str = ""
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """One file of a job: `place` is its constant index, times are in milliseconds.

    `size` and `sha256` are those of the source, `modified_at` is its last modification, None where the endpoint does
    not tell. `delivered_size` and `delivered_sha256` are those of the file at the destination, which differ where its
    bytes were changed on their way. `temporaries` are the names of its unfinished copies at the destination, as long as
    one may be there. `checkpoint` is how far the file is, as JSON of the engine. `version` is that of the source that
    was or may have been delivered, "" else. `archived` are the names of its copies, by the archives' names; of an
    archive that was unpacked the first 20 copies. `copies_pending` is set from the delivery on until all its copies are
    in the archives: the completion that the file has then.
    """

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
    temporaries: tuple[str, ...] = ()
    checkpoint: str | None = None
    version: str = ""
    modified_at: int | None = None
    delivered_size: int | None = None
    delivered_sha256: str | None = None
    archived: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    copies_pending: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the file is at its destination."""
        return self.completion in DELIVERED


@dataclass(frozen=True, kw_only=True)
class MemberRecord:
    """A delivered member of an archive: its `number` and name there, and the archive's content.

    `size` and `sha256` are those at the destination, `archived` the archives of the transaction that have a copy.
    """

    number: int
    archive_sha256: str
    name: str
    destination: str
    size: int
    sha256: str
    warnings: tuple[str, ...] = ()
    archived: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of a transaction; times in milliseconds. `scheduled_at` is the only key that a client gets (38).

    `retries` is the sum of its files' retries, `caused_by` the id of the transfer whose file started the job.
    `audit` is the completion status that its audit record tells, "" while none is written. `reason` says why the job
    ended so, "" for a success; of an active job that is to stop, by whose request.
    """

    sequence: int
    transaction_id: int
    definition: Transaction
    variables: Mapping[str, str] = field(default_factory=dict)
    requester: Requester
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
    retries: int = 0
    attempt: int = 1
    bytes_total: int = 0
    bytes_done: int = 0
    lease: int = 0
    caused_by: str | None = None
    audit: str = ""
    reason: str = ""

    @property
    def token(self) -> str:
        """The sequence as answers and logs show it."""
        return token_of(self.sequence)

    @property
    def temporary_token(self) -> str:
        """The token in the names of its temporary files."""
        return temporary_token_of(self.sequence, self.transfer_id)

    @property
    def may_be_tried_again(self) -> bool:
        """Whether the definition allows another attempt after this one."""
        return self.attempt <= self.definition.retries.job
