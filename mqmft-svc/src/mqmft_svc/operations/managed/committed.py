"""Find out after a crash whether the commit of a file was carried out (225).

The checkpoint of a file that is whole under its temporary name holds what the record will have of it. Only a file at
the destination with these very bytes proves the commit: a temporary name that is gone may have been removed.
"""

import hashlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from mft_common.clock import now_ms
from mft_common.endpoints.contract import BLOCK, Entry
from mft_common.endpoints.errors import Interrupted, NotFound, NotRegular
from mft_common.transfer import Interrupt
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.operations.managed.roots import Root

ENTRY: Final = "entry"
_SEALED: Final = "sealed"
_SHA256: Final = "sha256"


@dataclass(frozen=True)
class Sealed:
    """A file before its commit: the source version that was read, the digest of what was written, and its values."""

    entry: Entry
    sha256: str
    values: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return a checkpoint, of which `of` makes the same in another run."""
        return {ENTRY: asdict(self.entry), _SEALED: dict(self.values), _SHA256: self.sha256}

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any] | None) -> Self | None:
        """Return what a checkpoint says; None where the file was not whole yet."""
        if checkpoint is None or _SEALED not in checkpoint:
            return None
        return cls(Entry(**checkpoint[ENTRY]), checkpoint[_SHA256], checkpoint[_SEALED])

    def is_at(self, destination: Root, path: str, stop: Interrupt) -> Entry | None:
        """Return the file at the destination where it has these bytes, None where it has not; TransferError."""
        try:
            there = destination.look(path)
            if there.kind != "file" or there.size not in (None, self.values["delivered_size"]):
                return None
            found = _sha256(destination, there, stop)
        except (NotFound, NotRegular):
            return None
        return there if found == self.sha256 else None

    def delivered(self, file: ManagedFile, there: Entry) -> ManagedFile:
        """Return a file as delivered, which is at its destination as `there`."""
        at = there.modified_at or now_ms()
        return file.changed(**self.values, delivered=True, delivered_at=at, checkpoint=None)


def entry_of(checkpoint: Mapping[str, Any] | None) -> Entry | None:
    """Return the source version that a delivered file was read from, None where that is not known."""
    return None if checkpoint is None or ENTRY not in checkpoint else Entry(**checkpoint[ENTRY])


def _sha256(root: Root, entry: Entry, stop: Interrupt) -> str:
    found = hashlib.sha256()
    with closing(root.endpoint.open(entry)) as reader:
        while block := reader.read(BLOCK):
            if stop.is_set():
                raise Interrupted(f"{entry.path}: stopped while it was compared")
            found.update(block)
    return found.hexdigest()
