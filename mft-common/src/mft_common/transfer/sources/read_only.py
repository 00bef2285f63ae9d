"""Declare what endpoints have in common that are read alone, and read files that come as blocks."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Final

from mft_common.endpoints.contract import BLOCK, Entry, Features, Reader, Skipped, ignore
from mft_common.endpoints.errors import NotFound, Unsupported
from mft_common.endpoints.names import Patterns
from mft_common.transfer.sources.bare import BareEndpoint

_FEATURES: Final = Features(writing=False, renaming=False, deleting=False)


class ReadOnly(BareEndpoint):
    """An endpoint of the given `entries`; what it is given to read from is its caller's, and is not closed by it."""

    features = _FEATURES

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries

    def list(self, patterns: Patterns, *, recursive: bool = False, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Yield the files that match; `recursive` those too whose path has several steps."""
        del skipped
        yield from (one for one in self.entries if patterns.match(one.name) and (recursive or "/" not in one.path))

    def stat(self, path: str) -> Entry:
        """Return the file of a path; NotFound."""
        for entry in self.entries:
            if entry.path == path:
                return entry
        raise NotFound(f"{path}: does not exist")

    def open(self, entry: Entry, start: int = 0) -> Reader:
        """Open a file at its beginning; Unsupported with `start`."""
        if start:
            raise Unsupported(f"{entry.path}: is read from its beginning alone")
        return self._reader(self.stat(entry.path))

    @abstractmethod
    def _reader(self, entry: Entry) -> Reader:
        """Open one of the entries."""


class BlockReader:
    """A source file that is made block by block; `close` is called once, whatever happened."""

    def __init__(self, entry: Entry, blocks: Iterator[bytes], close: Callable[[], None]) -> None:
        self.entry = entry
        self._blocks = blocks
        self._close = close
        self._rest = memoryview(b"")

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes, b"" at the end."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = memoryview(block)
        data, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return data

    def check(self) -> None:
        """Do nothing: each part is checked at its own end."""

    def close(self) -> None:
        """Release what the blocks are made from."""
        self._close()
