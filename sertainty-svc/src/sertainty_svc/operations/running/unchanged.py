"""Read one version of a source file, and end the copy where it is another one by now."""

from collections.abc import Callable
from typing import TypeVar

from mft_common.endpoints.contract import BLOCK, Endpoint, Entry, Reader
from mft_common.endpoints.errors import Changed, NotFound, NotRegular, TransferError
from mft_common.transfer.sources.bare import BareEndpoint
from sertainty_svc.operations.running.faults import Later

R = TypeVar("R")


class UnchangedSource(BareEndpoint):
    """The file of `entry`: what changed, has gone or became a link is Later, which no try repeats (84).

    `failure` is the last error that reading raised.
    """

    def __init__(self, endpoint: Endpoint, entry: Entry) -> None:
        self.features = endpoint.features
        self.failure: TransferError | None = None
        self._endpoint = endpoint
        self._entry = entry

    def open(self, entry: Entry, start: int = 0) -> Reader:
        """Open the file where it still is the version of its entry."""
        reader = self.read_by(lambda: self._endpoint.open(entry, start))
        if reader.entry.version != self._entry.version:
            reader.close()
            self.read_by(self._raise_changed)
        return _UnchangedReader(reader, self, start)

    def read_by(self, call: Callable[[], R]) -> R:
        """Return what a call returns; its error is noted as the source's own."""
        try:
            return call()
        except (Changed, NotFound, NotRegular) as error:
            self.failure = Later(str(error))
            raise self.failure from error
        except TransferError as error:
            self.failure = error
            raise

    def _raise_changed(self) -> None:
        raise Changed(f"{self._entry.path}: changed since it was found")


class _UnchangedReader:
    """A reader of as many bytes as its entry has."""

    def __init__(self, reader: Reader, source: UnchangedSource, start: int) -> None:
        self.entry = reader.entry
        self._reader = reader
        self._source = source
        self._position = start

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes; Later where they are more or fewer than the entry has."""
        return self._source.read_by(lambda: self._read(size))

    def _read(self, size: int) -> bytes:
        block = self._reader.read(size)
        self._position += len(block)
        whole = self.entry.size
        if whole is not None and (self._position > whole or (not block and self._position < whole)):
            raise Changed(f"{self.entry.path}: changed while it was read")
        return block

    def check(self) -> None:
        """Raise Later unless what was read is still what was opened."""
        self._source.read_by(self._reader.check)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
