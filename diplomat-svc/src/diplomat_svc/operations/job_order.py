"""The order that a child gets for a job: plain data that goes through its socket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from diplomat_svc.domain.jobs import FileRecord, Job, temporary_token_of
from diplomat_svc.domain.transactions import Transaction


@dataclass(frozen=True, kw_only=True)
class JobOrder:
    """A job to run: the copy of its definition, its variables, and the time in milliseconds at which it began.

    `attempt` counts from 1; `last` says that no other attempt may follow. Of earlier attempts it tells whether a file
    is `delivered`, and the first place that no file has.
    """

    sequence: int
    transfer_id: str
    definition: Transaction
    variables: Mapping[str, str]
    began_at: int
    attempt: int = 1
    last: bool = True
    delivered: bool = False
    next_place: int = 0

    @property
    def token(self) -> str:
        """The token in the names of this job's temporary files."""
        return temporary_token_of(self.sequence, self.transfer_id)

    @classmethod
    def of(cls, job: Job, now: int, earlier: Sequence[FileRecord] = ()) -> Self:
        """Return the order of a job that begins `now`; `earlier` are its files of earlier attempts."""
        return cls(
            sequence=job.sequence,
            transfer_id=job.transfer_id,
            definition=job.definition,
            variables=job.variables,
            began_at=now,
            attempt=job.attempt,
            last=not job.may_be_tried_again,
            delivered=any(file.delivered for file in earlier),
            next_place=max((file.place + 1 for file in earlier), default=0),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the order as plain data."""
        return {**vars(self), "definition": self.definition.to_json(), "variables": dict(self.variables)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the order of what `to_json` gave."""
        definition = Transaction.from_json(values["definition"])
        return cls(**{**values, "definition": definition})
