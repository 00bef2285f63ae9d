"""Declare what the child and the worker of a job tell each other about a file."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from diplomat_svc.domain.jobs import FileRecord
from mft_common.transfer import Digest


@dataclass(frozen=True, kw_only=True)
class FileEnd:
    """How a file ended; `text` goes to the log, and into the events where something went wrong.

    `warning` is the part of it that says what is wrong with a delivered file. `size` and `sha256` are those of the
    source, whose `version` is given where it was or may be delivered; `delivered_size` and
    `delivered_sha256` those of the file at the destination. `finished` is the name of the unfinished copy that is
    there no more, "" for none. With `copies` the file is delivered, and its copies in archives are still to be written.
    """

    place: int
    completion: str
    text: str
    retries: int
    sha256: str | None = None
    size: int | None = None
    finished: str = ""
    version: str = ""
    delivered_size: int | None = None
    delivered_sha256: str | None = None
    copies: bool = False
    warning: str = ""


@dataclass(frozen=True, kw_only=True)
class ArchivedCopy:
    """A copy in the archive `which`: of the files at `places`, or of a `member` of the file at the one place.

    `finished` is the name that the unfinished one had, `text` goes to the log.
    """

    places: Sequence[int]
    which: str
    name: str
    text: str
    finished: str
    member: int | None


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A file as an earlier attempt left it (`FileRecord`); `archived` are the archives that have a copy of it."""

    place: int
    completion: str | None
    version: str
    checkpoint: str | None
    copies_pending: str | None
    destination: str
    size: int
    sha256: str | None
    delivered_size: int | None
    delivered_sha256: str | None
    archived: tuple[str, ...]

    @classmethod
    def of(cls, file: FileRecord) -> Self:
        """Return what the next attempt is told of a file."""
        values: dict[str, Any] = {one.name: getattr(file, one.name) for one in fields(cls)}
        return cls(**values | {"archived": tuple(file.archived)})

    @property
    def source(self) -> Digest:
        """The size and digest of the bytes that were read; the file is delivered."""
        assert self.sha256 is not None
        return Digest(self.size, self.sha256)

    @property
    def delivered(self) -> Digest:
        """The size and digest of the bytes that were written; the file is delivered under a single name."""
        assert self.delivered_size is not None
        assert self.delivered_sha256 is not None
        return Digest(self.delivered_size, self.delivered_sha256)
