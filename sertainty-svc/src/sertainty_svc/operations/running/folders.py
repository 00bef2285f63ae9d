"""Open the folders of a task: each is resolved anew at each execution (93, 107)."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import BadName, Denied, NotRegular, TransferError
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.folders import LocalFolder
from mft_common.endpoints.names import check_name
from sertainty_svc.domain.tasks import Action
from sertainty_svc.operations.running.faults import TaskFault, sentence_of
from sertainty_svc.operations.running.order import Order

FILESTORE: Final = "filestore:"
_STATE: Final = "state"


@dataclass(frozen=True, kw_only=True)
class TaskFolder:
    """An open folder. `text` is its name in the task, and `place` what is the same for two names of one folder.

    `local` is the same folder as a folder of this machine, None for one of filestore.
    """

    text: str
    place: tuple[str, ...]
    endpoint: Endpoint
    local: FileEndpoint | None = None

    def make_folder_of(self, path: str) -> None:
        """Make the folder of a file where it is missing and the endpoint has folders; TransferError.

        NotRegular where a file is in its way, which concerns no other files.
        """
        folder = path.rpartition("/")[0]
        if not folder or not self.endpoint.features.folders:
            return
        try:
            self.endpoint.make_folder(folder)
        except Denied as error:
            if self._has_file_in(folder):
                raise NotRegular(str(error)) from error
            raise

    def _has_file_in(self, path: str) -> bool:
        """Return whether a step of a path is the name of a file."""
        steps = path.split("/")
        for count in range(1, len(steps) + 1):
            try:
                if self.endpoint.stat("/".join(steps[:count])).kind == "file":
                    return True
            except TransferError:
                return False
        return False

    def identity(self, entry: Entry) -> str:
        """Return what a watch knows an appearance of a file by (mft_common.watching)."""
        if self.local is not None:
            # Without the device and the time of the inode's last change.
            return ":".join(entry.version.split(":")[1:4])
        return entry.version or f"{entry.size}:{entry.modified_at}"

    def mtime_ns(self, entry: Entry) -> int | None:
        """Return the modification time of a file in nanoseconds, as exactly as the folder tells it."""
        if self.local is not None:
            return int(entry.version.split(":")[3])
        return None if entry.modified_at is None else entry.modified_at * 1_000_000

    def check(self) -> None:
        """Raise TaskFault where the folder cannot be reached."""
        try:
            self.endpoint.stat("")
        except TransferError as error:
            raise _fault(self.text, error) from error


@dataclass(frozen=True, kw_only=True)
class OpenFolders:
    """The folders of a task over files; None for those that it does not have.

    Where the task of a script has no destination, that is the source: nothing is written there.
    """

    source: TaskFolder
    destination: TaskFolder
    failed: TaskFolder | None
    archive: TaskFolder | None

    @classmethod
    def open(cls, order: Order, stack: ExitStack) -> Self:
        """Open the folders; all but the source are made where they are missing. TaskFault."""
        folders = order.definition.folders
        source = open_folder(order, folders.source, stack)
        made = {
            name: open_folder(order, text, stack, create=True) if text else None
            for name, text in (
                ("destination", folders.destination),
                ("failed", folders.failed),
                ("archive", folders.archive),
            )
        }
        destination = made.pop("destination")
        others = (destination, *made.values())
        if destination is None:
            if order.definition.action is not Action.SCRIPT:
                raise TaskFault("the task has no destination")
            destination = source
        for other in others:
            if other is not None:
                _check_apart(source, other, recurse=order.definition.filter.recurse)
        return cls(source=source, destination=destination, **made)


def open_folder(order: Order, text: str, stack: ExitStack, *, create: bool = False) -> TaskFolder:
    """Open a folder of a task, which `stack` closes; with `create` it is made where it is missing. TaskFault."""
    try:
        if text.startswith(FILESTORE):
            return _open_filestore(order, text, stack)
        found = resolve(order, text)
        opened = stack.enter_context(FileEndpoint(found.open(create=create), shown=text))
    except TransferError as error:
        raise _fault(text, error) from error
    return TaskFolder(text=text, place=Path(found.root, found.path).parts, endpoint=opened, local=opened)


def resolve(order: Order, text: str) -> LocalFolder:
    """Return a folder of this machine, links in its path resolved; TaskFault outside every root (107).

    It may not exist. Nothing of the path is resolved again when it is opened: a link that came meanwhile is refused.
    """
    if not order.roots:
        raise TaskFault("no folder is configured that tasks may reach")
    if not text or "\0" in text or ".." in text.split("/"):
        raise TaskFault(f"{text!r} is no folder's name")
    # A name that begins with a slash is absolute.
    path = Path(os.path.realpath(Path(order.roots[0], text)))
    state = Path(os.path.realpath(Path(order.data, _STATE)))
    if path.is_relative_to(state):
        raise TaskFault(f"The folder {text} is the hub's own state, which is no place for files")
    for root in (Path(os.path.realpath(root)) for root in order.roots):
        if path.is_relative_to(root):
            if not root.exists():
                # A root is the operator's, and may be a mount that is away: unlike the folders below it is never made.
                raise TaskFault(f"The folder {text} cannot be used: the root {root.name} does not exist")
            return LocalFolder(root, "/".join(path.relative_to(root).parts), state, text)
    raise TaskFault(f"The folder {text} lies outside the folders that tasks may reach")


def _open_filestore(order: Order, text: str, stack: ExitStack) -> TaskFolder:
    if order.filestore is None:
        raise TaskFault(f"The folder {text} is reached through filestore, and none is configured")
    path = text.removeprefix(FILESTORE)
    if not path.startswith("/"):
        raise BadName("a folder of filestore begins with a slash")
    steps = [check_name(step) for step in path.split("/") if step not in ("", ".")]
    way = Filestore(**{**order.filestore, "keys": tuple(order.filestore["keys"])})
    endpoint = stack.enter_context(way.open("/".join(steps), order.transfer_id))
    folder = TaskFolder(text=text, place=(FILESTORE, *steps), endpoint=endpoint)
    folder.check()
    return folder


def _check_apart(source: TaskFolder, other: TaskFolder, *, recurse: bool) -> None:
    """Raise TaskFault where files of a folder that is written would be found in the source."""
    below = other.place[: len(source.place)] == source.place
    if other.place == source.place or (recurse and below):
        raise TaskFault(f"The folder {other.text} is the source, or lies below it")


def _fault(text: str, error: TransferError) -> TaskFault:
    return TaskFault(f"The folder {text} cannot be used: {sentence_of(error)}")
