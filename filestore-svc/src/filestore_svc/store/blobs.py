"""Define the interface of a store of contents, which a folder and a bucket implement."""

import io
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from filestore_svc.store.partials import Check, Digested, Partial, Watch

# About how many contents a page of a store has.
PAGE: Final = 1_000


class Staging(Protocol):
    """The bytes of an upload while they arrive, with their number and their digests."""

    fileset: int
    size: int
    sha256: Any
    md5: Any | None

    def write(self, block: memoryview | bytes, /) -> object:
        """Write the next bytes."""
        ...

    def finish(self) -> None:
        """Wait until all bytes are written and digested; raise the error of a write that failed meanwhile."""
        ...

    def discard(self) -> None:
        """Remove the bytes. Harmless once they are kept."""
        ...


class Blobs(Protocol):
    """A store of contents named by their fileset ids, each written once and whole.

    `outlives_removal`: a content that is open can be read to its end after it was removed, on the same machine.
    """

    outlives_removal: bool

    def stage(self, fileset: int, *, md5: bool = False) -> Staging:
        """Begin a content, which is invisible until it is kept."""
        ...

    def keep(self, staging: Any) -> None:
        """Make a staged content durable under its id."""
        ...

    def resume(self, upload: str, offset: int, check: Check, pieces: Sequence[str]) -> Partial:
        """Open a resumable upload for more bytes. `pieces` names what its first `offset` bytes are in.

        `check()` is called before each write, and raises when another request has taken over.
        """
        ...

    def whole(
        self, upload: str, fileset: int, size: int, pieces: Sequence[str], *, digested: Digested, watch: Watch | None
    ) -> Staging:
        """Stage a complete upload; it reads the bytes whose digest is not known, and all of them for `watch`."""
        ...

    def drop(self, upload: str) -> None:
        """Remove the bytes of a resumable upload. Harmless where there are none."""
        ...

    def partials_older_than(self, age: float) -> list[str]:
        """Return the resumable uploads whose last byte was written more than `age` seconds ago."""
        ...

    def open(self, fileset: int) -> io.RawIOBase:
        """Open a content for reading; FileNotFoundError where it does not exist."""
        ...

    def remove(self, fileset: int) -> None:
        """Remove a content. Harmless where it does not exist."""
        ...

    def page(self, after: str, age: float) -> tuple[list[int], str]:
        """Read the next page of the store after a cursor, the first one after "".

        Return the ids on it that were kept more than `age` seconds ago, and its own cursor, "" for the last page.
        """
        ...

    def stored_at(self, fileset: int) -> float:
        """Return when a content was kept, in seconds since the epoch; FileNotFoundError where it does not exist."""
        ...

    def clear_staging(self, age: float | None) -> int:
        """Remove abandoned uploads; return how many.

        An upload is abandoned when its last byte was written more than `age` seconds ago; for None, when its process
        has died.
        """
        ...

    def ping(self) -> None:
        """Raise OSError unless the store can be written to."""
        ...

    def free(self) -> int | None:
        """Return how many bytes there is room for, None where the store does not tell."""
        ...


def pages(blobs: Blobs, age: float) -> Iterator[list[int]]:
    """Yield the ids of all contents kept more than `age` seconds ago, a page at a time."""
    ids, cursor = blobs.page("", age)
    yield ids
    while cursor:
        ids, cursor = blobs.page(cursor, age)
        yield ids
