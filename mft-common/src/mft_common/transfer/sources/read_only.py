"""Declare what endpoints have in common that are read alone, and read files that come as blocks."""

from collections.abc import Callable, Iterator
from typing import Final, Self

from mft_common.endpoints.contract import (
    BLOCK,
    Checkpoint,
    Entry,
    Features,
    IfExists,
    Reader,
    Skipped,
    Writer,
    ignore,
)
from mft_common.endpoints.errors import NotFound, Unsupported
from mft_common.endpoints.names import Patterns

_FEATURES: Final = Features(writing=False, renaming=False, deleting=False)


class ReadOnly:
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

    def _reader(self, entry: Entry) -> Reader:
        raise NotImplementedError

    def writer(
        self, path: str, *, token: str, size: int | None = None, resume: Checkpoint | None = None,
        modified_at: int | None = None, if_exists: IfExists = "replace",
    ) -> Writer:  # fmt: skip
        """Raise Unsupported."""
        del token, size, resume, modified_at, if_exists
        raise Unsupported(f"{path}: this endpoint takes no files")

    def rename(self, path: str, target: str) -> None:
        """Raise Unsupported."""
        raise Unsupported(f"{path}: this endpoint renames no files to {target}")

    def delete(self, entry: Entry) -> None:
        """Raise Unsupported."""
        raise Unsupported(f"{entry.path}: this endpoint deletes no files")

    def make_folder(self, path: str) -> None:
        """Raise Unsupported."""
        raise Unsupported(f"{path}: this endpoint makes no folders")

    def sweep(self, token: str, temporaries: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Remove nothing: nothing can be unfinished here."""
        del token, temporaries
        return ()

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


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
