"""Define the interface of a store of contents, which a folder and a bucket implement."""

import io
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from filestore_svc.store.partials import Check, Partial, Watch

# How many contents a page of a store has, about.
PAGE: Final = 1_000


class Staging(Protocol):
    """The bytes of an upload while they arrive. `size` counts them, `sha256` and `md5` digest them."""

    fileset: int
    size: int
    sha256: Any
    md5: Any | None

    def write(self, block: memoryview | bytes, /) -> object:
        """Take the next bytes."""
        ...

    def finish(self) -> None:
        """Wait until all bytes are counted in; what went wrong with any of them is raised here at the latest."""
        ...

    def discard(self) -> None:
        """Forget them; harmless once they are kept."""
        ...


class Blobs(Protocol):
    """A store of contents named by their fileset ids, each written once and whole.

    `outlives_removal`: a content that is open can be read to its end after it was removed, on the same machine.
    """

    outlives_removal: bool

    def stage(self, fileset: int, *, md5: bool = False) -> Staging:
        """Begin a content that nobody can see yet."""
        ...

    def keep(self, staging: Any) -> None:
        """Make a staged content durable under its id, whatever happens to this machine next."""
        ...

    def resume(self, upload: str, offset: int, check: Check, pieces: Sequence[str]) -> Partial:
        """Open a resumable upload for more bytes. `pieces` names what its first `offset` bytes are in.

        `check()` is called before each write, and raises when another request has taken over.
        """
        ...

    def whole(
        self, upload: str, fileset: int, size: int, pieces: Sequence[str], *, sha256: Any | None, watch: Watch | None
    ) -> Staging:
        """Stage what came in pieces; it is read only where its digest is not known, or to be shown to `watch`."""
        ...

    def drop(self, upload: str) -> None:
        """Forget what came of an upload in pieces. Harmless where there is nothing."""
        ...

    def partials_older_than(self, age: float) -> list[str]:
        """Return the uploads in pieces of which nothing came in the last `age` seconds."""
        ...

    def open(self, fileset: int) -> io.RawIOBase:
        """Open a content for reading; FileNotFoundError where there is none."""
        ...

    def remove(self, fileset: int) -> None:
        """Remove a content; readers that have it open go on. Harmless where there is none."""
        ...

    def page(self, after: str, age: float) -> tuple[list[int], str]:
        """Read the next page of the store after a cursor, the first one after "".

        Return the ids on it that were kept more than `age` seconds ago, and its own cursor, "" for the last page.
        """
        ...

    def clear_staging(self, age: float | None) -> int:
        """Remove abandoned uploads; return how many.

        Abandoned is what nothing was written to for `age` seconds, or for None everything whose process has died.
        """
        ...

    def ping(self) -> None:
        """Raise OSError unless the store can be written to."""
        ...

    def free(self) -> int | None:
        """Return how many bytes there is room for, None where nobody can tell."""
        ...


def pages(blobs: Blobs, age: float) -> Iterator[list[int]]:
    """Yield the ids of all contents kept more than `age` seconds ago, a page at a time."""
    ids, cursor = blobs.page("", age)
    yield ids
    while cursor:
        ids, cursor = blobs.page(cursor, age)
        yield ids
