"""The files of a managed transfer, as the child that moves them reports them and the database keeps them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, Self

# `waiting` and `moving` are not over; a file with a warning arrived.
FileState = Literal["waiting", "moving", "successful", "warning", "failed"]
OVER: Final = ("successful", "warning", "failed")
# In the checkpoint of a file that was made of messages: their digests, until they are removed from their queue.
TAKEN: Final = "taken"


@dataclass
class FileCounts:
    """How many files a transfer has, how they stand, and how many bytes of them were read."""

    files: int = 0
    arrived: int = 0
    failures: int = 0
    warnings: int = 0
    bytes_done: int = 0

    def add(self, file: "ManagedFile") -> None:
        """Count a file."""
        self._count(file, 1)

    def remove(self, file: "ManagedFile") -> None:
        """Count a file no more."""
        self._count(file, -1)

    def _count(self, file: "ManagedFile", one: int) -> None:
        self.files += one
        self.bytes_done += one * file.bytes_done
        self.arrived += one * file.arrived
        self.failures += one * (file.state == "failed")
        self.warnings += one * (file.state == "warning")


@dataclass(frozen=True, kw_only=True)
class ManagedFile:
    """One file of a transfer: `position` is its place in the record, `item` that of the request it comes from (93).

    `source` and `destination` are paths below the roots of the agents. Sizes are bytes, times milliseconds; `size` and
    the digests are those of what was read and of what was written. `checkpoint` is how far it is, as JSON of the
    engine, and `temporary` the name of its unfinished file; both are "" or None where there is none. `delivered` is
    True once the file is at its destination durably: what is left to do then is its source's.

    Where one side is a queue, `source` or `destination` is its name, `message_count` how many messages the file became
    or was made of, and `message_id` the id of the message, or of the group that it was split into.
    """

    position: int
    item: int
    source: str
    destination: str
    state: FileState = "waiting"
    description: str = ""
    size: int | None = None
    modified_at: int | None = None
    source_md5: str | None = None
    source_sha256: str | None = None
    delivered_size: int | None = None
    delivered_at: int | None = None
    delivered_md5: str | None = None
    delivered_sha256: str | None = None
    message_count: int | None = None
    message_id: str = ""
    bytes_done: int = 0
    tries: int = 0
    delivered: bool = False
    temporary: str = ""
    checkpoint: Mapping[str, Any] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more is done about the file."""
        return self.state in OVER

    @property
    def arrived(self) -> bool:
        """Whether the file is over and at its destination."""
        return self.state in ("successful", "warning")

    @property
    def has_taken(self) -> bool:
        """Whether messages of a queue may be in the file, and still in the queue."""
        return not self.over and self.checkpoint is not None and TAKEN in self.checkpoint

    def to_json(self) -> dict[str, Any]:
        """Return plain data, of which `from_json` makes the same file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the file of plain data."""
        return cls(**value)

    def changed(self, **values: Any) -> Self:
        """Return the file with other values."""
        return replace(self, **values)
