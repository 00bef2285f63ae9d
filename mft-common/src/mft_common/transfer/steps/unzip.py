"""Read zip archives from partners: the whole archive is checked before one byte of it is released."""

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from mft_common.endpoints.contract import BLOCK
from mft_common.endpoints.errors import TransferError, os_errors
from mft_common.transfer.steps.private_files import unnamed_file, write_all
from mft_common.transfer.steps.zip_names import problem_of_name

# The end of the directory, with the longest comment; APPNOTE 4.3.14 to 4.3.16 describe these records.
_END: Final = b"PK\x05\x06"
_LOCATOR: Final = b"PK\x06\x07"
_RECORD: Final = b"PK\x06\x06"
_END_SIZE: Final = 22
_LOCATOR_SIZE: Final = 20
_RECORD_SIZE: Final = 56
_LONGEST_END: Final = _END_SIZE + 0xFFFF + _LOCATOR_SIZE
# Bytes of the directory for each member that is allowed: the fixed part, a name and extra fields.
_DIRECTORY_BYTES: Final = 46 + 512
_SMALL: Final = 1 << 20
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class BadArchive(TransferError):  # noqa: N818 -- a condition, as in endpoints.errors
    """The archive is damaged, or has names or sizes that are refused; nothing of it is released."""


@dataclass(frozen=True)
class Limits:
    """The most bytes that all members unpack to, the most members, and the most bytes for each packed byte.

    The ratio counts for members and archives that unpack to more than 1 MiB.
    """

    size: int = 10 << 30
    members: int = 10_000
    ratio: int = 200


@dataclass(frozen=True)
class Unpacked:
    """A file of a checked archive: its relative name and its size in bytes."""

    name: str
    size: int


class Archive:
    """An archive in a private file: `write` its bytes, then `check`, then read `members`.

    `file` is a private file that holds the bytes already; the archive closes it.
    """

    def __init__(self, private: Path, limits: Limits | None = None, *, file: IO[bytes] | None = None) -> None:
        self.limits = limits or Limits()
        self.members: tuple[Unpacked, ...] = ()
        self._file = unnamed_file(private) if file is None else file
        self._zip: zipfile.ZipFile | None = None

    def write(self, block: bytes) -> None:
        """Add the next bytes of the archive."""
        with os_errors("an archive"):
            write_all(self._file, block)

    def check(self) -> None:
        """Read the directory and unpack every member once; BadArchive unless all of it is acceptable."""
        try:
            with os_errors("an archive"):
                size = self._file.seek(0, 2)
                _check_end(self._file, size, self.limits)
                self._zip = zipfile.ZipFile(self._file)
            found = self._zip.infolist()
            _check_directory(found, size, self.limits)
            self.members = tuple(Unpacked(info.filename, info.file_size) for info in found if not info.is_dir())
            for member in self.members:
                for _ in self.blocks(member):
                    pass
        # The last one is zipfile's error for a version of the format that it does not know.
        except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError) as error:
            raise BadArchive("the archive is damaged or no zip archive") from error

    def blocks(self, member: Unpacked) -> Generator[bytes]:
        """Yield the bytes of a member; its checksum is compared at its end."""
        assert self._zip is not None
        count = 0
        try:
            with os_errors("an archive"), self._zip.open(member.name) as file:
                while block := file.read(BLOCK):
                    count += len(block)
                    yield block
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise BadArchive(f"{member.name}: is damaged in the archive") from error
        if count != member.size:
            raise BadArchive(f"{member.name}: unpacks to {count} bytes, the archive says {member.size}")

    def close(self) -> None:
        """Remove the private file."""
        if self._zip is not None:
            self._zip.close()
        self._file.close()


class Unzip:
    """The step for an archive of one file, which it unpacks; `Archive` reads those of several."""

    def __init__(self, private: Path, limits: Limits | None = None) -> None:
        self._archive = Archive(private, limits)

    def feed(self, block: bytes) -> tuple[()]:
        """Keep the bytes; nothing is released before the whole archive was checked."""
        self._archive.write(block)
        return ()

    def finish(self) -> Iterator[bytes]:
        """Check the archive and return the bytes of its file; BadArchive where it does not hold exactly one."""
        self._archive.check()
        if len(self._archive.members) != 1:
            raise BadArchive(f"the archive holds {len(self._archive.members)} files where one is expected")
        yield from self._archive.blocks(self._archive.members[0])

    def close(self) -> None:
        """Remove the private file."""
        self._archive.close()


def _check_end(file: IO[bytes], size: int, limits: Limits) -> None:
    """Refuse a directory that is too large to be read into memory, by the record at the archive's end."""
    file.seek(max(0, size - _LONGEST_END))
    tail = file.read(_LONGEST_END)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise BadArchive("the archive is damaged or no zip archive")
    sizes = [struct.unpack("<HI", tail[at + 10 : at + 16])]
    at += size - len(tail)
    before, named = _zip64_sizes(file, at)
    # Which of the two ZIP64 records zipfile takes depends on Python's version: neither may be too large.
    sizes = [*([before] if before else sizes), *([named] if named else [])]
    members, directory = (max(column) for column in zip(*sizes, strict=True))
    if members > limits.members:
        raise BadArchive(f"the archive has {members} members; {limits.members} are allowed")
    if directory > max(_SMALL, limits.members * _DIRECTORY_BYTES):
        raise BadArchive("the archive's directory is too large")
    if directory > at:
        raise BadArchive("the archive is damaged or no zip archive")


def _zip64_sizes(file: IO[bytes], end: int) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Return members and bytes of the directory by the ZIP64 record before the locator, and by that which it names."""
    before = end - _LOCATOR_SIZE - _RECORD_SIZE
    if before < 0:
        return None, None
    file.seek(before)
    locator = file.read(_RECORD_SIZE + _LOCATOR_SIZE)[_RECORD_SIZE:]
    if not locator.startswith(_LOCATOR):
        return None, None
    (named,) = struct.unpack("<Q", locator[8:16])
    return _zip64_size(file, before), _zip64_size(file, named) if named < before else None


def _zip64_size(file: IO[bytes], at: int) -> tuple[int, int] | None:
    file.seek(at)
    record = file.read(_RECORD_SIZE)
    if len(record) < _RECORD_SIZE or not record.startswith(_RECORD):
        return None
    members, directory = struct.unpack("<QQ", record[32:48])
    return members, directory


def _check_directory(found: list[zipfile.ZipInfo], size: int, limits: Limits) -> None:
    if len(found) > limits.members:
        raise BadArchive(f"the archive has {len(found)} members; {limits.members} are allowed")
    folded_names: dict[str, str] = {}
    for info in found:
        # zipfile cuts a name at a NUL byte, and Python 3.12 takes that of an extra field: both names are checked.
        for name in dict.fromkeys((info.orig_filename, info.filename)):
            _check_member(info, name)
        folded = _folded(info.filename)
        if (other := folded_names.get(folded)) is not None:
            same = other.removesuffix("/") == info.filename.removesuffix("/")
            problem = "occurs twice in the archive" if same else f"differs from {other} in case or composition alone"
            raise BadArchive(f"{info.filename}: {problem}")
        folded_names[folded] = info.filename
        _check_ratio(info.filename, info.file_size, info.compress_size, limits)
        if not 0 <= info.header_offset < size:
            raise BadArchive(f"{info.filename}: is damaged in the archive")
    files = {_folded(info.filename) for info in found if not info.is_dir()}
    for folded, name in folded_names.items():
        if any(parent in files for parent in _parents(folded)):
            raise BadArchive(f"{name}: lies below a name that is a file of the archive")
    total, packed = sum(info.file_size for info in found), sum(info.compress_size for info in found)
    if total > limits.size:
        raise BadArchive(f"the archive unpacks to {total} bytes; {limits.size} are allowed")
    if packed > size:
        raise BadArchive("members of the archive share their bytes")
    _check_ratio("the archive", total, packed, limits)


def _folded(name: str) -> str:
    """Return what two names share that are one name on a file system that ignores case or composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.removesuffix("/")).casefold())


def _check_member(info: zipfile.ZipInfo, name: str) -> None:
    if problem := problem_of_name(name):
        raise BadArchive(f"{name!a}: {problem}; the whole archive is refused")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR and not info.is_dir()):
        raise BadArchive(f"{name}: is a link or a special file; the whole archive is refused")
    if info.flag_bits & 0x1:
        raise BadArchive(f"{name}: is encrypted by the zip format, which is not supported")
    if info.compress_type not in _METHODS:
        raise BadArchive(f"{name}: is neither stored nor deflated")
    if info.is_dir() and info.file_size:
        raise BadArchive(f"{name}: is a folder with bytes")


def _check_ratio(name: str, unpacked: int, packed: int, limits: Limits) -> None:
    if unpacked > _SMALL and unpacked > packed * limits.ratio:
        raise BadArchive(f"{name}: unpacks to more than {limits.ratio} times its bytes")


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")
    for count in range(1, len(parts)):
        yield "/".join(parts[:count])
