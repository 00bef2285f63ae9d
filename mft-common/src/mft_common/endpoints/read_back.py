"""Read a file back that is being written: compare it with what was written, or digest what an earlier try wrote too."""

import contextlib
import hashlib
import threading
from typing import Final

from mft_common.endpoints.contract import BLOCK
from mft_common.endpoints.errors import TransferError, destination_errors
from mft_common.endpoints.system import System

# Small enough that a block is still in the processor's cache when it is compared.
_PIECE: Final = 256 << 10
# The number of written bytes from which on a thread is worth its start.
_LARGE: Final = 8 << 20


class Comparison:
    """Compares the bytes that a file's pages hold with those that were written, right after each write."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._buffer = bytearray(_PIECE)
        self.equal = True

    def compare(self, descriptor: int, block: memoryview, position: int) -> None:
        """Read the bytes from `position` on back, and clear `equal` where they are not those of `block`."""
        view = memoryview(self._buffer)
        for start in range(0, len(block) if self.equal else 0, _PIECE):
            written = block[start : start + _PIECE]
            count = self._system.read_into(descriptor, view[: len(written)], position + start)
            # Not two views: those are compared one element at a time.
            found = self._buffer if count == _PIECE else self._buffer[:count]
            if found != written:
                self.equal = False
                return


class ReadBack:
    """The SHA-256 of the bytes that a file's pages hold; each of them is read once, after it was written."""

    def __init__(self, system: System, name: str, folder: int, shown: str) -> None:
        self._system = system
        self._name = name
        self._folder = folder
        self._shown = shown
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._written = 0
        self._whole = False
        self._stopped = False
        self._digest = hashlib.sha256()
        self._error: TransferError | None = None

    def written(self, position: int) -> None:
        """Take note that the bytes before `position` are written."""
        with self._changed:
            self._written = position
            if self._thread is None and position >= _LARGE and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="read-back", daemon=True)
                self._thread.start()
            self._changed.notify()

    def digest(self, size: int) -> str:
        """Return the SHA-256 of the whole file of `size` bytes, in lower-case hexadecimal."""
        with self._changed:
            self._written, self._whole = size, True
            self._changed.notify()
        if self._thread is None:
            self._run()
        else:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._digest.hexdigest()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            with destination_errors(self._shown):
                descriptor = self._system.open_read(self._name, self._folder)
                try:
                    self._read(descriptor)
                finally:
                    with contextlib.suppress(OSError):
                        self._system.close(descriptor)
        except TransferError as error:
            self._error = error

    def _read(self, descriptor: int) -> None:
        position = 0
        while True:
            with self._changed:
                while not (self._stopped or self._whole or self._written > position):
                    self._changed.wait()
                written, whole, stopped = self._written, self._whole, self._stopped
            if stopped:
                return
            while position < written and not self._stopped:
                block = self._system.read_at(descriptor, min(BLOCK, written - position), position)
                if not block:
                    return
                self._digest.update(block)
                position += len(block)
            if whole:
                return
