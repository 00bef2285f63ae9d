"""Find the files of the items of a transfer, and where each of them goes (217-219)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Interrupted, NotFound, TransferError
from mft_common.endpoints.names import Patterns
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.managed.paths import is_hidden, is_pattern, joined, split
from mqmft_svc.operations.managed.problems import NotPossible, SourceMissing, description_of
from mqmft_svc.operations.managed.roots import Root
from mqmft_svc.operations.managed.spool import Listed, Spool

_ALL: Final = "*"
_SEVERAL: Final = "The item has several files, and its destination is no directory"
Check = Callable[[], None]


def _go_on() -> None:
    """Let a listing go on (the default check)."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One file of an item: its paths below both roots; `failure` describes why it cannot be moved, "" where it can.

    `is_item` says that it stands for an item of which no file was found.
    """

    source: str
    destination: str
    entry: Entry | None = None
    failure: str = ""
    is_item: bool = False


def failed(item: ItemRequest, error: TransferError) -> Found:
    """Return what stands for an item of which no file was found."""
    reason = description_of(error)
    return Found(source=item.source.name, destination=item.destination.name, failure=reason, is_item=True)


def files_of(
    item: ItemRequest, source: Root, destination: Root | None, spool: Spool, check: Check = _go_on
) -> Iterator[Found]:
    """Return the files of an item by their names; one that has failed where the item has none, or cannot be done.

    They are kept in `spool` until the files of another item are listed. Without a `destination` all files go into the
    queue that the item names.

    An empty directory has none and has not failed. Raises errors that may heal, and what `check` raises, which is
    called for each file that is listed.
    """
    try:
        target = item.destination.name if destination is None else _target(item, destination)
        spool.begin_item()
        _list(item, source, spool, check)
        is_folder = destination is not None and _is_folder(item, target, destination)
    except Interrupted:
        raise
    except TransferError as error:
        if error.heals:
            raise
        return iter([failed(item, error)])
    several = destination is not None and not is_folder and spool.count_listed() > 1
    refusal = description_of(NotPossible(_SEVERAL)) if several else ""
    return (
        Found(
            source=file.path,
            destination=joined(target, file.relative) if is_folder else target,
            entry=file.entry,
            failure=file.failure or refusal,
        )
        for file in spool.listed()
    )


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


def _list(item: ItemRequest, source: Root, spool: Spool, check: Check) -> None:
    """Put the files of an item into the spool."""
    path = source.path(item.source.name)
    recursive = item.source.recursive
    if item.source.type == "directory":
        if source.look(path).kind != "folder":
            raise NotPossible(f"{path}: is a file and no directory")
        return _list_folder(source, path, _ALL, spool, check, recursive=recursive)
    folder, name = split(path)
    if is_pattern(path):
        _list_folder(source, folder, name, spool, check, recursive=recursive, hidden=False)
        if not spool.count_listed():
            raise SourceMissing(f"{path}: no file has such a name")
        return None
    entry = source.look(path)
    if entry.kind == "folder":
        raise NotPossible(f"{path or '/'}: is a directory, and the source's type is file")
    return spool.add_listed(Listed(name, path, entry))


def _list_folder(
    source: Root, folder: str, pattern: str, spool: Spool, check: Check, *, recursive: bool, hidden: bool = True
) -> None:
    """Put the files of a folder into the spool; without `hidden` not those that the pattern passes over."""
    with source.below(folder) as endpoint:
        for entry in endpoint.list(Patterns([pattern]), recursive=recursive, skipped=spool.add_skipped):
            check()
            if hidden or not is_hidden(entry.path, pattern):
                spool.add_listed(_file(folder, entry))
    for relative, why in spool.skipped():
        if hidden or not is_hidden(relative, pattern):
            spool.add_listed(_skipped(source, folder, relative, why))


def _file(folder: str, entry: Entry) -> Listed:
    path = joined(folder, entry.path)
    return Listed(entry.path, path, Entry(path, entry.size, entry.modified_at, entry.version, entry.sha256))


def _skipped(source: Root, folder: str, relative: str, why: str) -> Listed:
    """Return a name that a listing passed over: a link, a special file, or one that cannot be read."""
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
    return Listed(relative, path, None, description_of(error))
