"""Declare what the child and the worker of a job tell each other about a file."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FileEnd:
    """How a file ended; `text` goes to the log, and into the events where something went wrong.

    `size` and `sha256` are those of the source, whose `version` is given where it was delivered; `delivered_size` and
    `delivered_sha256` those of the file at the destination. With `leftover` an unfinished copy is still there.
    """

    place: int
    completion: str
    text: str
    retries: int
    sha256: str | None = None
    size: int | None = None
    leftover: bool = False
    version: str = ""
    delivered_size: int | None = None
    delivered_sha256: str | None = None


@dataclass(frozen=True)
class Earlier:
    """A file as an earlier attempt left it: its place, its end, if it had one, and how far it came.

    `version` is that of the source that was delivered durably, `checkpoint` the engine's, as JSON.
    """

    place: int
    completion: str | None
    version: str
    checkpoint: str | None
