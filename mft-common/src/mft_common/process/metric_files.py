"""Allocate the blocks of prometheus-client's files before they are mapped.

prometheus-client makes a file longer and maps it. On a full disk a write to such a map has no block to go to, and the
kernel ends the process with SIGBUS. Here every block is allocated first; while that fails, values stay in memory and
are written once there is room again.
"""

import os
import struct
import time
from pathlib import Path
from typing import Any, Final

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

_FIRST_SIZE: Final = 1 << 16
_RETRY_EVERY_S: Final = 1.0
# Of an entry: the length of the key before it, and value and time stamp behind it, with padding to 8 bytes.
_AROUND_KEY: Final = struct.calcsize("i") + 8 + struct.calcsize("dd")


class AllocatedDict(MmapedDict):
    """Values in a mapped file all of whose blocks are allocated. Not thread-safe, like prometheus-client's own."""

    _f: Any
    _m: Any

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._in_memory: dict[str, tuple[float, float]] = {}
        self._next_try = 0.0
        self._positions: dict[str, int] = {}
        self._capacity = self._used = 0
        self._f = self._m = None

    def read_value(self, key: str) -> tuple[float, float]:
        """Return value and time stamp of a key, zeros where it is new."""
        if key in self._positions or self._place(key):
            value, timestamp = super().read_value(key)  # type: ignore[no-untyped-call]
            return value, timestamp
        return self._in_memory.get(key, (0.0, 0.0))

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set value and time stamp of a key; they stay in memory while the file has no room for them."""
        if key in self._positions or self._place(key):
            super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]
        else:
            self._in_memory[key] = (value, timestamp)

    def _place(self, key: str) -> bool:
        """Add `key` to the file, with its value in memory; return whether there was room."""
        now = time.monotonic()
        if now < self._next_try:
            return False
        try:
            self._allocate(self._used + len(key.encode()) + _AROUND_KEY)
        except OSError:
            self._next_try = now + _RETRY_EVERY_S
            return False
        super()._init_value(key)  # type: ignore[no-untyped-call]
        if (held := self._in_memory.pop(key, None)) is not None:
            super().write_value(key, *held)  # type: ignore[no-untyped-call]
        return True

    def _allocate(self, size: int) -> None:
        """Allocate and map at least `size` bytes of the file; OSError where there is no room."""
        if self._f is None:
            _allocate_first(Path(self._filename))
            super().__init__(self._filename)  # type: ignore[no-untyped-call]
        capacity = self._capacity
        while capacity < size:
            capacity *= 2
        if capacity > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, capacity)


def _allocate_first(path: Path) -> None:
    """Make the file with its first blocks; no file is left where there is no room for them."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.posix_fallocate(descriptor, 0, _FIRST_SIZE)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def install() -> None:
    """Let prometheus-client use such files; it has no setting for that."""
    vars(values)["MmapedDict"] = AllocatedDict
