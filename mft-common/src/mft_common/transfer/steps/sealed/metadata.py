"""Read and write the metadata of protected files: name, size and time of the file that was protected."""

import json
from dataclasses import dataclass
from typing import Any, Final, Self

from mft_common import clock
from mft_common.endpoints.errors import BadName, DiskFull
from mft_common.transfer.steps.sealed.errors import NotSealed
from mft_common.transfer.steps.sealed.header import LARGEST, MOST_METADATA

_LONGEST_NAME: Final = 1024
_NS_PER_MS: Final = 1_000_000
# Times are signed numbers of 64 bits: the years 1677 to 2262.
_FIRST_NS: Final = -(1 << 63)
_LAST_NS: Final = (1 << 63) - 1


@dataclass(frozen=True)
class Metadata:
    """The content of chunk 0.

    `name` is that of the file without folders, `size` its bytes, `mtime_ns` its modification time in nanoseconds since
    the epoch, None where the source does not tell one that 64 bits hold; `protected` is when it was protected, in
    milliseconds.
    The name is text from somebody else: a reader checks it before it becomes a file's name.
    """

    name: str
    size: int
    mtime_ns: int | None
    protected: int

    @property
    def modified_at(self) -> int | None:
        """The modification time in milliseconds, rounded down, as endpoints take it."""
        return None if self.mtime_ns is None else self.mtime_ns // _NS_PER_MS

    def encode(self) -> bytes:
        """Return the metadata as JSON; BadName or DiskFull where the format has no room for the name or the size."""
        if _problem_of_name(self.name):
            raise BadName("the name cannot be that of a protected file: it is no UTF-8 text or has a step")
        if self.size > LARGEST:
            raise DiskFull(f"the file is larger than {LARGEST} bytes")
        mtime_ns = self.mtime_ns if _is_within(self.mtime_ns, _FIRST_NS, _LAST_NS) else None
        value = {"name": self.name, "size": self.size, "mtime_ns": mtime_ns, "protected": clock.iso(self.protected)}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the metadata of authenticated bytes; NotSealed where they have another form."""
        try:
            value = json.loads(data.decode())
            made = cls(value["name"], value["size"], value["mtime_ns"], clock.parse_iso(value["protected"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise NotSealed("has metadata of an unknown form") from error
        if (
            type(made.name) is not str
            or _problem_of_name(made.name)
            or not _is_within(made.size, 0, LARGEST)
            or not (made.mtime_ns is None or _is_within(made.mtime_ns, _FIRST_NS, _LAST_NS))
        ):
            raise NotSealed("has metadata of an unknown form")
        return made


def _is_within(value: Any, first: int, last: int) -> bool:
    return type(value) is int and first <= value <= last


def _problem_of_name(name: str) -> bool:
    """Return whether no file of any system has this name."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return True
    return not 1 <= size <= min(_LONGEST_NAME, MOST_METADATA) or "/" in name or "\0" in name
