"""Say what every endpoint can do: list, open, write in steps, delete, sweep."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from mft_common.transfer.names import Patterns

BLOCK = 1 << 20

IfExists = Literal["replace", "fail"]
Verify = Literal["sha256", "size"]
Skipped = Callable[[str, str], None]


@dataclass(frozen=True)
class Entry:
    """A file as it was listed: `size` in bytes, `modified_at` in milliseconds.

    `version` is the endpoint's own word for exactly this content: what is deleted or read later must still be that.
    """

    name: str
    size: int
    modified_at: int
    version: str = ""
    sha256: str | None = None


@dataclass(frozen=True)
class Stored:
    """A file that arrived; `replaced` is True when another of that name was there, None where nobody knows."""

    size: int
    sha256: str
    version: str = ""
    replaced: bool | None = None


class Interrupt(Protocol):
    """Tells a transfer to stop; a threading.Event is one."""

    def is_set(self) -> bool:
        """True once the transfer is to stop."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds for it; return whether it is set."""
        ...


class Reader(Protocol):
    """One open source file."""

    entry: Entry

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the content in blocks of at most `size` bytes."""
        ...

    def check(self) -> None:
        """Raise Changed unless what was read is still what was opened."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Writer(Protocol):
    """One file on its way in. The steps come in this order, and `abort` may come at any time instead of the next one.

    Until `commit` nothing is visible under the final name, with one exception: an endpoint that shows a file in one
    step by itself does so at the end of `fill`, once it has all the bytes it was promised and no byte less.
    """

    def begin(self) -> None:
        """Take the temporary name; raise Exists or TargetIsFolder where it is known already."""
        ...

    def fill(self, blocks: Iterable[bytes]) -> None:
        """Take the whole content."""
        ...

    def seal(self, size: int, sha256: str, verify: Verify) -> None:
        """Make the bytes durable and compare them with what was read; raise Mismatch."""
        ...

    def commit(self) -> Stored:
        """Make the file visible under its name, durably."""
        ...

    def abort(self) -> None:
        """Remove what was written; the file of that name, if any, stays as it was."""
        ...


class Endpoint(Protocol):
    """A folder somewhere, opened once and used for one job. Its methods raise TransferError and nothing else."""

    def list(self, patterns: Patterns, skipped: Skipped = ...) -> Iterator[Entry]:
        """Yield the files whose names match, in the order of their names; tell `skipped(name, why)` what is none."""
        ...

    def open(self, entry: Entry) -> Reader:
        """Open a listed file as it is now; the reader's own entry says what that is."""
        ...

    def writer(self, name: str, *, token: str, size: int, if_exists: IfExists = "replace") -> Writer:
        """Return a writer of `size` bytes to `name`, whose temporary file belongs to `token`."""
        ...

    def delete(self, entry: Entry) -> None:
        """Delete a listed file; Changed when it is another by now."""
        ...

    def sweep(self, token: str) -> tuple[str, ...]:
        """Remove every unfinished file of `token` and return their names."""
        ...

    def close(self) -> None:
        """Let go of the folder."""
        ...


def ignore(_name: str, _why: str) -> None:
    """Take note of a skipped name by doing nothing."""
