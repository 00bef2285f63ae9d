"""Declare the interface of an endpoint: list, open, write in steps, delete, sweep."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from mft_common.endpoints.names import Patterns

BLOCK = 1 << 20

IfExists = Literal["replace", "fail"]
Verify = Literal["sha256", "size"]
Skipped = Callable[[str, str], None]


@dataclass(frozen=True)
class Entry:
    """A file as it was listed: `size` in bytes, `modified_at` in milliseconds.

    `version` identifies exactly this content at the endpoint: a later read or delete requires the same version.
    """

    name: str
    size: int
    modified_at: int
    version: str = ""
    sha256: str | None = None


@dataclass(frozen=True)
class Stored:
    """A committed file; `replaced` is True when another of that name was there, None where that is unknown."""

    size: int
    sha256: str
    version: str = ""
    replaced: bool | None = None


class Interrupt(Protocol):
    """The request to stop a transfer; a threading.Event is one."""

    def is_set(self) -> bool:
        """Return True once the transfer must stop."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds for the request; return whether it is set."""
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
        """Close the file."""
        ...


class Writer(Protocol):
    """One file on its way in. The steps come in this order; `abort` may replace any of them.

    Nothing is visible under the final name before `commit`, and no step deletes anything at the final name.
    """

    def begin(self) -> None:
        """Make the temporary name; raise Exists or TargetIsFolder where the final name is known to be refused."""
        ...

    def fill(self, blocks: Iterable[bytes]) -> None:
        """Write the whole content under the temporary name; exhausts `blocks`."""
        ...

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Make the bytes durable and compare them with what was read; raise Mismatch.

        Returns False while the destination is still at work on them: the caller calls again.
        """
        ...

    def commit(self) -> Stored:
        """Make the file visible under its name, durably.

        After Transient the caller may call it again: a commit that was carried out is found, not repeated.
        """
        ...

    def abort(self) -> Stored | None:
        """Remove the temporary name; the file of the final name stays as it is.

        Returns the stored file where an unanswered commit had been carried out.
        """
        ...


class Endpoint(Protocol):
    """A folder of some storage, opened once and used for one job. Its methods raise TransferError and nothing else."""

    def list(self, patterns: Patterns, skipped: Skipped = ...) -> Iterator[Entry]:
        """Yield the matching files in the order of their names; call `skipped(name, why)` for links and the like."""
        ...

    def open(self, entry: Entry) -> Reader:
        """Open a listed file as it is now; the reader's own entry describes that version."""
        ...

    def writer(self, name: str, *, token: str, size: int, if_exists: IfExists = "replace") -> Writer:
        """Return a writer of `size` bytes to `name`, whose temporary file belongs to `token`."""
        ...

    def delete(self, entry: Entry) -> None:
        """Delete a listed file; Changed when its version is no longer the listed one."""
        ...

    def sweep(self, token: str) -> tuple[str, ...]:
        """Remove every unfinished file of `token` and return their names."""
        ...

    def close(self) -> None:
        """Close the folder."""
        ...


def ignore(_name: str, _why: str) -> None:
    """Ignore a skipped name (the default call-back)."""
