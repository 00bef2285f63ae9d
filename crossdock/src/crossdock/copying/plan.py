"""Decide which files are copied, and to which names."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from crossdock.ends import Ends
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import BadName, Denied, NotFound, TransferError, Unsupported
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.targets import REFERENCE, WEB, decoded

_ALL: Final = ("*",)
# Errors of a question that another form of the same URL may answer.
_NOT_THERE: Final = (NotFound, Denied, BadName, Unsupported)


@dataclass(frozen=True)
class Plan:
    """Open ends, and the files with their paths at the destination."""

    source: Endpoint
    destination: Endpoint
    files: tuple[tuple[Entry, str], ...]


@contextmanager
def opened(
    ends: Ends, source: str, destination: str, *, patterns: tuple[str, ...], recursive: bool,
    skipped: Callable[[str, str], None], suffix: str = "",
) -> Iterator[Plan | None]:  # fmt: skip
    """Give the plan of a copy for the block; None where the source has no such file.

    A source that names one file is copied to the destination's name, or into the destination where that is a folder or
    ends with `/`. Of a folder its files are copied, those whose names match `patterns`; with `recursive` those of the
    folders below too, under their relative paths. Names that are kept get `suffix` at their end. TransferError where
    an end cannot be opened.
    """
    with ExitStack() as open_ends:
        single = None if patterns or recursive else _single(ends, source, open_ends)
        if single is not None:
            reading, entry = single
            writing, path = _target_of_one(ends, destination, f"{entry.name}{suffix}", open_ends)
            yield Plan(reading, writing, ((entry, path),))
            return
        try:
            reading = open_ends.enter_context(ends.open(source))
            if not reading.features.listing and not patterns and _split(source) is not None:
                # A web server said already that it has no such file.
                yield None
                return
            found = [
                (entry, f"{entry.path}{suffix}")
                for entry in reading.list(Patterns(patterns or _ALL), recursive=recursive, skipped=skipped)
                if entry.kind == "file"
            ]
        except NotFound:
            yield None
            return
        if not found:
            yield None
            return
        writing = open_ends.enter_context(ends.open(destination, create=True))
        yield Plan(reading, writing, tuple(found))


def _split(url: str) -> tuple[str, str] | None:
    """Return a URL's folder, with `/` at its end, and the decoded last step; None where it names no step.

    A query stays with the folder.
    """
    scheme, colon, rest = url.partition(":")
    rest, mark, query = rest.partition("?") if scheme in WEB else (rest, "", "")
    start = 2 if rest.startswith("//") and f"{scheme}:" != REFERENCE else 0
    folder, slash, name = rest[start:].rpartition("/")
    if not name or (not slash and (start or f"{scheme}:" == REFERENCE)):
        return None
    return f"{scheme}{colon}{rest[:start]}{folder}{slash}{mark}{query}", decoded(name)


def _single(ends: Ends, url: str, open_ends: ExitStack) -> tuple[Endpoint, Entry] | None:
    """Return the file that a URL names; None where it names a folder, or something that cannot be asked for."""
    split = _split(url)
    if split is None:
        return None
    folder, name = split
    try:
        endpoint = ends.open(folder)
    except _NOT_THERE:
        # The folder above may be one that this user must not see: the folder itself is tried next.
        return None
    try:
        entry = endpoint.stat(name)
    except _NOT_THERE:
        entry = None
    except BaseException:
        endpoint.close()
        raise
    if entry is None or entry.kind != "file":
        endpoint.close()
        return None
    return open_ends.enter_context(endpoint), entry


def _target_of_one(ends: Ends, url: str, name: str, open_ends: ExitStack) -> tuple[Endpoint, str]:
    """Return where one file goes: into a folder under its own name, or to the name that the URL gives."""
    split = _split(url)
    if split is None or ends.is_folder(url):
        return open_ends.enter_context(ends.open(url, create=True)), name
    folder, last = split
    endpoint = open_ends.enter_context(ends.open(folder, create=True))
    try:
        kind = endpoint.stat(last).kind
    except TransferError:
        kind = "file"
    return endpoint, f"{last}/{name}" if kind == "folder" else last
