"""Declare what every endpoint can do: list, read from a byte on, write in steps, rename, delete, sweep."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, Self

from mft_common.endpoints.names import Patterns

# The largest block that `Reader.read` returns and `Writer.feed` is given, in bytes.
BLOCK: Final = 1 << 20

IfExists = Literal["replace", "fail"]
Verify = Literal["sha256", "size"]
Kind = Literal["file", "folder"]
Skipped = Callable[[str, str], None]
Begins = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Features:
    """The abilities of one open endpoint; the shared suite checks that each field is true.

    `resume_read`: `open(entry, start)` transfers no byte before `start`. `resume_write`: a writer with `resume` goes on
    at the checkpoint's byte. `atomic_replace`: a commit replaces a file in one step, so that readers see the old or the
    new one. `exclusive_create`: with `if_exists="fail"` one of two concurrent writers fails. `modified_at`: listings
    give times that can be trusted. `keeps_modified_at`: a writer stores the time that it is given. `checksums`: digests
    of a temporary file that the far side computes by itself, lower-case names of hashlib. `recursive`: `list` descends.
    `folders`: `make_folder` works. `visible_at_commit`: others cannot list an unfinished file under any name.
    `exact_deletion`: a deletion removes the listed version alone, whenever another file takes its name; elsewhere one
    that takes it in the moment of the server's own rename or removal may be lost.
    `listing`, `writing`, `renaming`, `deleting`: the calls of these names work at all. `at_once`: how many threads may
    use the endpoint at the same time, each with readers and writers of its own. `finds_unfinished`: `sweep` finds the
    unfinished files of a token by itself; elsewhere it removes those alone whose names it is given.
    """

    resume_read: bool = False
    resume_write: bool = False
    atomic_replace: bool = False
    exclusive_create: bool = False
    modified_at: bool = False
    keeps_modified_at: bool = False
    checksums: tuple[str, ...] = ()
    recursive: bool = False
    folders: bool = False
    visible_at_commit: bool = False
    exact_deletion: bool = False
    listing: bool = True
    writing: bool = True
    renaming: bool = True
    deleting: bool = True
    at_once: int = 1
    finds_unfinished: bool = True


@dataclass(frozen=True)
class Entry:
    """A file or folder as it was listed or opened.

    `path` is relative to the endpoint's folder, its steps separated by `/`. It is UTF-8 decoded with `surrogateescape`,
    so that every name of bytes survives; `names.printable` shows it. `size` is in bytes and `modified_at` in
    milliseconds since the epoch, each None where the far side does not tell. `version` identifies exactly this content:
    a later read or delete requires the same one; "" where nothing does.
    """

    path: str
    size: int | None = None
    modified_at: int | None = None
    version: str = ""
    sha256: str | None = None
    kind: Kind = "file"

    @property
    def name(self) -> str:
        """The last step of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Checkpoint:
    """How far an unfinished file is safe at the far side, and what is needed to go on from there.

    The bytes before `position` survive a crash of either side. `state` is a small JSON object of the endpoint's own,
    and holds no secret.
    """

    position: int
    state: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """A committed file; `replaced` is True when another of that name was there, None where that is unknown.

    `warning` names what went wrong after the file became visible, "" for nothing. `durable` is False where the name may
    not survive a crash of the far side: then a source must not be deleted.
    """

    size: int
    sha256: str
    version: str = ""
    replaced: bool | None = None
    warning: str = ""
    durable: bool = True


class Reader(Protocol):
    """One open source file. `entry` describes the version that is read."""

    entry: Entry

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes, at most `size`, b"" at the end. A body that ends too early is Transient."""
        ...

    def check(self) -> None:
        """Raise Changed unless what was read is still what was opened."""
        ...

    def close(self) -> None:
        """Close the file; never raises."""
        ...


class Writer(Protocol):
    """One file on its way in: begin, feed and flush, seal, commit; `abort` may replace any step.

    Nothing is visible under the final name before `commit`, and no step deletes anything at the final name.
    `temporary` is the name by which `sweep` removes the unfinished file, "" as long as the far side has not named it.
    """

    @property
    def temporary(self) -> str:
        """The name of the unfinished file."""
        ...

    def begin(self, begins: Begins = ...) -> int:
        """Make the temporary file, or find the one to resume; return the byte from which `feed` is expected.

        `begins(temporary)` is called before a byte of an unfinished file is sent, also of one that is resumed, and
        before the file is made where its name is known then; a later step may call it where the far side names the
        file. The caller stores the name durably: after a crash `sweep` needs it. What it raises ends the step.
        That is the position of `resume` or a later one that is safe by now, or 0 where the resumed file is not there
        any more or does not hold as much.
        Folders above the file must exist. Exists or TargetIsFolder where the final name is known to be refused.
        """
        ...

    def feed(self, block: bytes | memoryview) -> None:
        """Take the next bytes; the caller may reuse the block's memory after the return."""
        ...

    def flush(self) -> Checkpoint:
        """Make as much as possible of what was fed durable at the far side; return how far that is."""
        ...

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Make everything durable and compare size and digest on the temporary name; raise Mismatch.

        `sha256` is of all bytes of the file, resumed ones included. A writer that has compared every stored byte of a
        large file with the one that it was fed need not digest them. Returns False while the far side is still at work:
        the caller calls again.
        """
        ...

    def commit(self) -> Stored:
        """Make the file visible under its name, durably.

        After Transient the caller may call it again: a commit that was carried out is found, not repeated. Nothing that
        fails after the file is visible is an error; it is the result's `warning`. OutcomeUnknown where a commit got no
        answer, and neither a look nor another one can tell whether it was carried out.
        """
        ...

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Remove the temporary file, or close it and leave it for a later resume with `keep`; may be called twice.

        Returns the stored file where an unanswered commit had been carried out; OutcomeUnknown where that cannot be
        found out, and the file may be delivered once alone.
        """
        ...


class Endpoint(Protocol):
    """A folder of some storage (a single file for http), opened once and used by one thread at a time.

    The engine reads from a thread of its own: a Reader or an Endpoint is handed from thread to thread, and never used
    by two at once, unless `features.at_once` is more than 1. Methods raise TransferError and nothing else. Opening
    connects. After Transient the connection may be gone: the next call on the endpoint connects anew (readers and
    writers of the old connection stay broken, and their `close` and `abort` still work). `close` never raises.
    """

    features: Features

    def list(self, patterns: Patterns, *, recursive: bool = False, skipped: Skipped = ...) -> Iterator[Entry]:
        """Yield the matching files, names of temporary files of ours excluded, in the far side's order.

        Patterns apply to the last step of the path. At most the names of one folder are held in memory.
        `skipped(path, why)` is called for links, special files and names that cannot be transferred.
        """
        ...

    def stat(self, path: str) -> Entry:
        """Return the file or folder of a path; NotFound where there is none."""
        ...

    def open(self, entry: Entry, start: int = 0) -> Reader:
        """Open a file as it is now, from the byte `start` on; the reader's own entry describes that version.

        With `start` the content must still be that of `entry`: Changed where it is known not to be.
        """
        ...

    def writer(
        self,
        path: str,
        *,
        token: str,
        size: int | None = None,
        resume: Checkpoint | None = None,
        modified_at: int | None = None,
        if_exists: IfExists = "replace",
    ) -> Writer:
        """Return a writer to `path`, whose temporary file belongs to `token`.

        `size` is the number of bytes that will come, None for unknown. `resume` is what an earlier writer of the same
        path and token returned by `flush`; of byte 0 where it may have left a file that cannot be gone on with.
        """
        ...

    def rename(self, path: str, target: str) -> None:
        """Rename a file of this endpoint; Exists where the target is there."""
        ...

    def delete(self, entry: Entry, *, token: str) -> None:
        """Delete a listed file; Changed when its version is no longer the listed one, NotFound when it is gone.

        Where a deletion has several steps, one that was cut off is found by `token` (`end_deletions`).
        """
        ...

    def end_deletions(self, token: str) -> None:
        """End the deletions of `token` that were cut off, of the files of this folder and not of those below."""
        ...

    def make_durable(self, path: str) -> None:
        """Make the name of a file durable that an earlier process may have committed without its answer."""
        ...

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it; a folder that is there already is no error. "" is the endpoint's own."""
        ...

    def sweep(self, token: str, temporaries: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Remove the unfinished files of `token` and return the names of those that were there.

        `temporaries` are the names with which writers of this token called `begins`. Without them nothing is removed
        where `features.finds_unfinished` is False. A file of another token is never removed.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close."""
        ...


def ignore(_name: str, _why: str) -> None:
    """Ignore a skipped name (the default call-back)."""


def note_nothing(_name: str) -> None:
    """Ignore the name of an unfinished file (the default call-back)."""
