"""The order that a child gets for a job: plain data that goes through its socket."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from diplomat_svc.domain.jobs import Job, token_of
from diplomat_svc.domain.transactions import Transaction


@dataclass(frozen=True, kw_only=True)
class JobOrder:
    """A job to run: the copy of its definition, its variables, and the time in milliseconds at which it began."""

    sequence: int
    transfer_id: str
    definition: Transaction
    variables: Mapping[str, str]
    began_at: int

    @property
    def token(self) -> str:
        """The token in the names of this job's temporary files."""
        return token_of(self.sequence)

    @classmethod
    def of(cls, job: Job, now: int) -> Self:
        """Return the order of a job that begins `now`."""
        return cls(
            sequence=job.sequence,
            transfer_id=job.transfer_id,
            definition=job.definition,
            variables=job.variables,
            began_at=now,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the order as plain data."""
        return {**vars(self), "definition": self.definition.to_json(), "variables": dict(self.variables)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the order of what `to_json` gave."""
        return cls(**{**values, "definition": Transaction.from_json(values["definition"])})
