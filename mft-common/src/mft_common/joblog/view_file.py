"""Write the lines of a view into one file, with an index of its buffers at the end, and read single buffers.

The file is a cache: its row in the database says how it is built again. So it is not fsynced; a size and a checksum for
each buffer tell a file that a power cut damaged.
"""

import hashlib
import os
import secrets
import struct
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

# Of each buffer its first byte and the CRC-32 of its bytes; a last entry is where the lines end.
_ENTRY: Final = struct.Struct("<QQ")


class Written(NamedTuple):
    """A written file: its number of lines, its size in bytes with the index, and the SHA-256 of the lines."""

    lines: int
    size: int
    digest: str


def write(path: Path, texts: Iterable[Sequence[str]], buffer_lines: int) -> Written:
    """Write lines, of which each of `texts` holds some, under a temporary name and rename the file to `path`.

    A line ends with a line feed; a text with line feeds in it is several lines. OSError leaves no file.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb", buffering=0) as file:
            written = _write(file.fileno(), texts, buffer_lines)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    return written


def _write(descriptor: int, texts: Iterable[Sequence[str]], buffer_lines: int) -> Written:
    index, offset, count = bytearray(), 0, 0
    digest = hashlib.sha256()
    waiting: list[str] = []

    def put(lines: Sequence[str]) -> None:
        nonlocal offset, count
        data = ("\n".join(lines) + "\n").encode()
        index.extend(_ENTRY.pack(offset, zlib.crc32(data)))
        digest.update(data)
        _write_all(descriptor, data)
        offset += len(data)
        count += len(lines)

    for some in texts:
        waiting += "\n".join(some).split("\n")
        whole = len(waiting) - len(waiting) % buffer_lines
        for start in range(0, whole, buffer_lines):
            put(waiting[start : start + buffer_lines])
        del waiting[:whole]
    if waiting:
        put(waiting)
    index.extend(_ENTRY.pack(offset, 0))
    _write_all(descriptor, bytes(index))
    return Written(count, offset + len(index), digest.hexdigest())


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read(path: Path, number: int, *, buffers: int, size: int) -> list[str] | None:
    """Return the lines of one buffer: one seek to its entry, one to it. None where the file is missing or damaged."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if os.fstat(descriptor).st_size != size:
            return None
        entries = os.pread(descriptor, 2 * _ENTRY.size, size - (buffers + 1 - number) * _ENTRY.size)
        (start, checksum), (end, _) = _ENTRY.iter_unpack(entries)
        if not 0 <= start < end <= size:
            return None
        data = os.pread(descriptor, end - start, start)
    finally:
        os.close(descriptor)
    return data[:-1].decode().split("\n") if zlib.crc32(data) == checksum else None
