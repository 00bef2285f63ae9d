"""Decide which folders of this machine endpoints may reach, and open them without following a link."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mft_common.endpoints.errors import BadName, Denied, NotFound, NotRegular, os_errors
from mft_common.endpoints.names import check_name, check_path
from mft_common.endpoints.system import SYSTEM, System
from mft_common.endpoints.targets import Target

_STATE: Final = "state"


class Folder:
    """An open folder, whose folders below are reached step by step without following a link.

    `descriptor` is owned by this object. `forbidden` is the path of the hub's own state: Denied, however it is reached.
    """

    def __init__(self, descriptor: int, forbidden: Path | None = None, system: System = SYSTEM) -> None:
        self.descriptor = descriptor
        self._forbidden = forbidden
        self._system = system

    def open(self, path: str = "", *, create: bool = False) -> int:
        """Return a descriptor, the caller's, of a folder below; "" is this one. With `create` it is made if missing."""
        steps = path.split("/") if path else []
        with os_errors(path or "the folder"):
            forbidden = _identity(self._forbidden)
            current = self._system.duplicate(self.descriptor)
            try:
                self._refuse(current, path, forbidden)
                for step in steps:
                    below = self._step(check_name(step), current, path, create=create)
                    current = self._swap(current, below)
                    self._refuse(current, path, forbidden)
            except BaseException:
                self._system.close(current)
                raise
            return current

    @contextlib.contextmanager
    def opened(self, path: str = "") -> Iterator[int]:
        """Open a folder below for the block."""
        descriptor = self.open(path)
        try:
            yield descriptor
        finally:
            with contextlib.suppress(OSError):
                self._system.close(descriptor)

    @contextlib.contextmanager
    def around(self, path: str) -> Iterator[tuple[int, str]]:
        """Open the folder that holds the file `path`, for the block; give it and the file's name."""
        folder, _, name = check_path(path).rpartition("/")
        with self.opened(folder) as descriptor:
            yield descriptor, name

    def close(self) -> None:
        """Close the folder."""
        with contextlib.suppress(OSError):
            self._system.close(self.descriptor)

    def _step(self, step: str, current: int, path: str, *, create: bool) -> int:
        try:
            return self._system.open_folder(step, current)
        except OSError as error:
            if error.errno == errno.ENOENT and create:
                with contextlib.suppress(FileExistsError):
                    self._system.make_folder(step, current)
                    self._system.sync(current)
                return self._system.open_folder(step, current)
            if error.errno == errno.ENOENT:
                raise NotFound(f"{path}: the folder does not exist") from error
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                cls = NotRegular if self._is_link(step, current) else Denied
                raise cls(f"{path}: a link or a file is in the way; links are not followed") from error
            raise

    def _is_link(self, name: str, folder: int) -> bool:
        with contextlib.suppress(OSError):
            return stat.S_ISLNK(self._system.status(name, folder).st_mode)
        return False

    def _refuse(self, descriptor: int, path: str, forbidden: tuple[int, int] | None) -> None:
        status = self._system.status_of(descriptor)
        if (status.st_dev, status.st_ino) == forbidden:
            raise Denied(f"{path or 'the folder'}: the hub's own state is no place for files")

    def _swap(self, old: int, new: int) -> int:
        self._system.close(old)
        return new


@dataclass(frozen=True)
class LocalFolder:
    """A folder below a root: `root` is the operator's, `path` the folders from there. `shown` names it in messages."""

    root: Path
    path: str
    forbidden: Path
    shown: str

    def open(self, *, create: bool = False, system: System = SYSTEM) -> Folder:
        """Open it from its root step by step; with `create` folders that are missing below the root are made."""
        with os_errors(self.shown):
            root = Folder(system.open_root(os.fspath(self.root)), self.forbidden, system)
        try:
            return Folder(root.open(self.path, create=create), self.forbidden, system)
        finally:
            root.close()


@dataclass(frozen=True)
class LocalFolders:
    """The folders that `file:` endpoints may reach: below the data folder or a folder that the operator allowed."""

    data: Path
    allowed: tuple[Path, ...] = ()

    def resolve(self, target: Target) -> LocalFolder:
        """Return the folder of a `file:` target: below the data folder, or for an absolute one below an allowed one.

        Denied for a folder outside every root or inside the hub's state. Nothing is opened: it may not exist yet.
        """
        if target.scheme != "file":
            raise BadName("a folder's URL begins with file:")
        steps = tuple(check_name(step) for step in target.folder.split("/") if step)
        root = self.data
        if target.folder.startswith("/"):
            root, steps = self._root_of(steps)
        forbidden = self.data / _STATE
        if _within(root.joinpath(*steps), forbidden):
            raise Denied(f"{target.shown}: the hub's own state is no place for files")
        return LocalFolder(root, "/".join(steps), forbidden, target.shown)

    def _root_of(self, steps: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
        for root in (self.data.absolute(), *self.allowed):
            names = root.parts[1:]
            if root.is_absolute() and steps[: len(names)] == names:
                return root, steps[len(names) :]
        raise Denied("the folder is neither below the data folder nor below one of allowed_folders")


def check_allowed(folders: Iterable[Path], data: Path) -> list[str]:
    """Return one problem for each allowed folder that is not absolute or lies inside the hub's state."""
    problems = []
    for folder in folders:
        if not folder.is_absolute() or ".." in folder.parts:
            problems.append(f"{folder} is no absolute path")
        elif _within(folder, data / _STATE):
            problems.append(f"{folder} lies inside the hub's own state")
    return problems


def _within(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _identity(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
