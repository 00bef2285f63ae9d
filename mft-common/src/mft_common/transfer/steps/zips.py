"""Write zip archives while they pass: several files in the order of their names, UTF-8 names, ZIP64, no seeking."""

import datetime
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final

from mft_common.endpoints.contract import BLOCK
from mft_common.endpoints.errors import BadName, Changed
from mft_common.transfer.steps.zip_names import problem_of_name

_EARLIEST: Final = datetime.datetime(1980, 1, 1, tzinfo=datetime.UTC)
_LATEST: Final = datetime.datetime(2107, 12, 31, 23, 59, 58, tzinfo=datetime.UTC)
# Deflate at this level is the usual compromise of zip programs; the archive's bytes depend on it.
_LEVEL: Final = 6
# Regular files, readable and writable by their owner and readable by all.
_MODE: Final = 0o100644 << 16
_SMALL: Final = 1 << 30
# The most bytes of a member without ZIP64, less what deflate adds to bytes that do not compress.
MOST_WITHOUT_ZIP64: Final = (1 << 31) - (16 << 20)


@dataclass(frozen=True)
class Member:
    """A file for an archive: its relative name, its bytes, its time in milliseconds, its size where that is known."""

    name: str
    blocks: Callable[[], Iterable[bytes]]
    modified_at: int | None = None
    size: int | None = None


def zipped(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield an archive of all members, sorted by name; equal members give equal bytes.

    BadName where a name is absolute, leads upwards, is no UTF-8 or occurs twice: found before the first byte.
    """
    ordered = sorted(members, key=lambda member: member.name)
    _check([member.name for member in ordered])
    archive = _Archive()
    try:
        for member in ordered:
            archive.begin(member.name, member.modified_at, member.size)
            for block in member.blocks():
                yield from archive.write(block)
            archive.end()
            yield from archive.take(least=BLOCK)
        archive.finish()
        yield from archive.take()
    finally:
        archive.close()


class Zip:
    """The step that makes an archive of one file."""

    def __init__(self, name: str, modified_at: int | None = None, size: int | None = None) -> None:
        _check([name])
        self._archive = _Archive()
        self._archive.begin(name, modified_at, size)

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Return what is compressed so far."""
        yield from self._archive.write(block)

    def finish(self) -> Iterator[bytes]:
        """Return the rest and the archive's directory."""
        self._archive.end()
        self._archive.finish()
        yield from self._archive.take()

    def close(self) -> None:
        """Release the archive."""
        self._archive.close()


def _check(names: list[str]) -> None:
    for place, name in enumerate(names):
        if problem := problem_of_name(name):
            raise BadName(f"{name!a}: {problem}")
        if place and names[place - 1] == name:
            raise BadName(f"{name}: the archive would hold this name twice")


class _Output:
    """Collects what the archive writes; it cannot seek, so sizes and checksums follow each member."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: `take` hands the parts on."""


class _Archive:
    """One archive that is written from its first byte to its last."""

    def __init__(self) -> None:
        self._output = _Output()
        self._zip = zipfile.ZipFile(self._output, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)  # type: ignore[call-overload]
        self._open: IO[bytes] | None = None
        self._name = ""
        # The bytes that the open member can still take, None for no limit.
        self._left: int | None = None

    def begin(self, name: str, modified_at: int | None, size: int | None) -> None:
        """Begin a member; ZIP64 where its size is unknown or large."""
        info = zipfile.ZipInfo(name, _date_of(modified_at))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3
        info.external_attr = _MODE
        large = size is None or size > _SMALL
        self._open = self._zip.open(info, "w", force_zip64=large)
        self._name, self._left = name, None if large else MOST_WITHOUT_ZIP64

    def write(self, block: bytes) -> Iterator[bytes]:
        """Compress a block and return what is ready; Changed where the member outgrows the size it was begun with."""
        assert self._open is not None
        if self._left is not None:
            self._left -= len(block)
            if self._left < 0:
                raise Changed(f"{self._name}: has grown since it was listed")
        self._open.write(block)
        return self.take(least=BLOCK)

    def end(self) -> None:
        """End the member."""
        assert self._open is not None
        self._open.close()
        self._open = None

    def finish(self) -> None:
        """Write the archive's directory."""
        self._zip.close()

    def take(self, *, least: int = 0) -> Iterator[bytes]:
        """Yield what was written, in blocks, once it is at least `least` bytes."""
        if self._output.size < max(least, 1):
            return
        data = b"".join(self._output.parts)
        self._output.parts, self._output.size = [], 0
        for start in range(0, len(data), BLOCK):
            yield data[start : start + BLOCK]

    def close(self) -> None:
        """Release the archive, finished or not."""
        if self._open is not None:
            self._open.close()
            self._open = None
        self._zip.close()


def _date_of(modified_at: int | None) -> tuple[int, int, int, int, int, int]:
    """Return the time in UTC within the years that the format knows; its first day where there is none."""
    at = _EARLIEST
    if modified_at is not None:
        seconds = min(max(_EARLIEST.timestamp(), modified_at / 1000), _LATEST.timestamp())
        at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return at.year, at.month, at.day, at.hour, at.minute, at.second
