"""Describe how far a move is, so that another try or another process goes on from there."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from mft_common.endpoints.contract import Checkpoint, Entry
from mft_common.transfer.digests import Digests


@dataclass(frozen=True)
class MoveCheckpoint:
    """The source version that is being read, what is safe at the destination, and the digests of a part of that.

    `digests` covers the first `digests.size` bytes, never more than `written.position`: what lies between is read again
    and not written again.
    """

    entry: Entry
    written: Checkpoint
    digests: Digests

    def as_json(self) -> dict[str, Any]:
        """Return a small JSON object, from which `of_json` makes the same checkpoint in any process."""
        state = self.digests.state
        return {
            "entry": asdict(self.entry),
            "position": self.written.position,
            "state": dict(self.written.state),
            "digested": self.digests.size if state else 0,
            **state,
        }

    @classmethod
    def of_json(cls, value: dict[str, Any], *, md5: bool = False) -> Self:
        """Return the checkpoint of a JSON object; KeyError or TypeError for one of another version."""
        restored = Digests.restored(value["digested"], value, md5=md5)
        written = Checkpoint(value["position"], value["state"])
        return cls(Entry(**value["entry"]), written, restored or Digests(md5=md5))
