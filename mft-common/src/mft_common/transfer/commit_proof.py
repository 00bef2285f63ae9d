"""Find out after a crash whether the commit of a file was carried out.

The checkpoint of a file that is whole under its temporary name proves its commit later: only a file at the destination
with these very bytes does, because a temporary name that is gone may have been removed.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from mft_common.endpoints.contract import BLOCK, Endpoint, Entry
from mft_common.endpoints.errors import Interrupted, NotFound, NotRegular
from mft_common.transfer.interrupt import Interrupt

ENTRY: Final = "entry"
# The key of the delivered file's size among the values.
SIZE: Final = "delivered_size"
_VALUES: Final = "sealed"
_SHA256: Final = "sha256"


@dataclass(frozen=True)
class CommitProof:
    """A file before its commit: the source version that was read, the digest of what was written, and its values.

    `values` is a small JSON object for the caller's record; SIZE in it is the number of bytes that were written.
    """

    entry: Entry
    sha256: str
    values: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return a checkpoint, of which `of` makes the same in another process."""
        return {ENTRY: asdict(self.entry), _VALUES: dict(self.values), _SHA256: self.sha256}

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any] | None) -> Self | None:
        """Return the proof in a checkpoint; None where the file was not whole yet."""
        if checkpoint is None or _VALUES not in checkpoint:
            return None
        return cls(Entry(**checkpoint[ENTRY]), checkpoint[_SHA256], checkpoint[_VALUES])

    def find(self, endpoint: Endpoint, look: Callable[[], Entry], stop: Interrupt) -> Entry | None:
        """Return the file that `look` finds at an endpoint where it has these bytes, None where not; TransferError."""
        try:
            there = look()
            if there.kind != "file" or there.size not in (None, self.values[SIZE]):
                return None
            found = _sha256(endpoint, there, stop)
        except (NotFound, NotRegular):
            return None
        return there if found == self.sha256 else None


def entry_of(checkpoint: Mapping[str, Any] | None) -> Entry | None:
    """Return the source version that a delivered file was read from, None where that is not known."""
    return None if checkpoint is None or ENTRY not in checkpoint else Entry(**checkpoint[ENTRY])


def _sha256(endpoint: Endpoint, entry: Entry, stop: Interrupt) -> str:
    found = hashlib.sha256()
    with closing(endpoint.open(entry)) as reader:
        while block := reader.read(BLOCK):
            if stop.is_set():
                raise Interrupted(f"{entry.path}: stopped while it was compared")
            found.update(block)
    return found.hexdigest()
