"""Find the files of the items of a transfer, and where each of them goes (217-219)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Interrupted, NotFound, TransferError
from mft_common.endpoints.names import Patterns
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.managed.paths import is_hidden, is_pattern, joined, split
from mqmft_svc.operations.managed.problems import NotPossible, SourceMissing, description_of
from mqmft_svc.operations.managed.roots import Root

_ALL: Final = "*"
_SEVERAL: Final = "The item has several files, and its destination is no directory"
Check = Callable[[], None]


def _go_on() -> None:
    """Let a listing go on (the default check)."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One file of an item: its paths below both roots; `failure` describes why it cannot be moved, "" where it can."""

    source: str
    destination: str
    entry: Entry | None = None
    failure: str = ""


@dataclass(frozen=True)
class _File:
    """A file of the source: its path below the folder of the item, and how it was listed, or why it cannot be."""

    relative: str
    path: str
    entry: Entry | None
    failure: str = ""


def failed(item: ItemRequest, error: TransferError) -> Found:
    """Return what stands for an item of which no file was found."""
    return Found(source=item.source.name, destination=item.destination.name, failure=description_of(error))


def files_of(item: ItemRequest, source: Root, destination: Root | None, check: Check = _go_on) -> list[Found]:
    """Return the files of an item by their names; one that has failed where the item has none, or cannot be done.

    Without a `destination` all files go into the queue that the item names.

    An empty directory has none and has not failed. Raises errors that may heal, and what `check` raises, which is
    called for each file that is listed.
    """
    try:
        target = item.destination.name if destination is None else _target(item, destination)
        files = _files(item, source, check)
        is_folder = destination is not None and _is_folder(item, target, destination)
    except Interrupted:
        raise
    except TransferError as error:
        if error.heals:
            raise
        return [failed(item, error)]
    several = destination is not None and not is_folder and len(files) > 1
    return [
        Found(
            source=file.path,
            destination=joined(target, file.relative) if is_folder else target,
            entry=file.entry,
            failure=file.failure or (description_of(NotPossible(_SEVERAL)) if several else ""),
        )
        for file in files
    ]


def messages_of(item: ItemRequest, destination: Root) -> Found:
    """Return the file that the messages of a queue become; a TransferError where it has no name (229)."""
    target = _target(item, destination)
    if _is_folder(item, target, destination):
        raise NotPossible(f"{item.destination.name}: is a directory, and messages of a queue have no file's name")
    return Found(source=item.source.name, destination=target)


def _target(item: ItemRequest, destination: Root) -> str:
    for side in (item.source, item.destination):
        if side.type not in ("file", "directory", "queue"):
            raise NotPossible(f"{side.name}: only an agent on z/OS has a {side.type}")
    return destination.path(item.destination.name)


def _is_folder(item: ItemRequest, target: str, destination: Root) -> bool:
    """Return whether files go into a folder of this name: one that is asked for, or that is there."""
    wanted = item.destination
    asked = wanted.type == "directory" or wanted.name.endswith("/") or not target
    try:
        there = destination.look(target)
    except NotFound:
        return asked
    if asked and there.kind == "file":
        raise NotPossible(f"{target}: is a file and no directory")
    return there.kind == "folder"


def _files(item: ItemRequest, source: Root, check: Check) -> list[_File]:
    path = source.path(item.source.name)
    if item.source.type == "directory":
        if source.look(path).kind != "folder":
            raise NotPossible(f"{path}: is a file and no directory")
        return _listed(source, path, _ALL, check, recursive=item.source.recursive)
    folder, name = split(path)
    if is_pattern(path):
        files = _listed(source, folder, name, check, recursive=item.source.recursive)
        files = [file for file in files if not is_hidden(file.relative, name)]
        if not files:
            raise SourceMissing(f"{path}: no file has such a name")
        return files
    entry = source.look(path)
    if entry.kind == "folder":
        raise NotPossible(f"{path or '/'}: is a directory, and the source's type is file")
    return [_File(name, path, entry)]


def _listed(source: Root, folder: str, pattern: str, check: Check, *, recursive: bool) -> list[_File]:
    skipped: list[tuple[str, str]] = []
    with source.below(folder) as endpoint:
        entries = endpoint.list(
            Patterns([pattern]), recursive=recursive, skipped=lambda path, why: skipped.append((path, why))
        )
        files = []
        for entry in entries:
            check()
            files.append(_file(folder, entry))
    files += _skipped(source, folder, skipped)
    return sorted(files, key=lambda file: file.relative.split("/"))


def _file(folder: str, entry: Entry) -> _File:
    path = joined(folder, entry.path)
    return _File(entry.path, path, Entry(path, entry.size, entry.modified_at, entry.version, entry.sha256))


def _skipped(source: Root, folder: str, skipped: Sequence[tuple[str, str]]) -> list[_File]:
    """Return the names that a listing passed over: links, special files, and what cannot be read."""
    found = []
    for relative, why in skipped:
        path = joined(folder, relative)
        error: TransferError = NotPossible(why)
        try:
            source.look(path)
        except Interrupted:
            raise
        except TransferError as problem:
            if problem.heals:
                raise
            error = problem
        found.append(_File(relative, path, None, description_of(error)))
    return found
