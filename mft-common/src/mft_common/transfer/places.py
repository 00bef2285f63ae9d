"""Resolve `file:` URLs to folders, and refuse those that no endpoint may reach."""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mft_common.endpoints.errors import BadName, Denied, NotFound, os_errors
from mft_common.endpoints.names import check_name
from mft_common.endpoints.system import SYSTEM, System

_STATE = "state"


@dataclass(frozen=True)
class Place:
    """A folder below a root: `root` is the operator's, `steps` are the names of the folders from there."""

    root: Path
    steps: tuple[str, ...]
    forbidden: Path
    shown: str

    def open(self, *, create: bool = False, system: System = SYSTEM) -> int:
        """Return a descriptor of the folder, reached from its root step by step without following a link.

        With `create` folders that are missing below the root are made. Raises Denied for links, for what is no folder,
        and for the hub's own state folder, however it is reached.
        """
        with os_errors(self.shown):
            forbidden = _identity(self.forbidden)
            current = system.open_root(os.fspath(self.root))
            try:
                self._refuse(current, forbidden, system)
                for step in self.steps:
                    below = self._step(step, current, create=create, system=system)
                    current = _swap(current, below, system)
                    self._refuse(current, forbidden, system)
            except BaseException:
                system.close(current)
                raise
            return current

    def _step(self, step: str, current: int, *, create: bool, system: System) -> int:
        try:
            return system.open_folder(step, current)
        except OSError as error:
            if error.errno == errno.ENOENT and create:
                _make(step, current, system)
                return system.open_folder(step, current)
            if error.errno == errno.ENOENT:
                raise NotFound(f"{self.shown}: the folder does not exist") from error
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise Denied(f"{self.shown}: a link or a file is in the way; links are not followed") from error
            raise

    def _refuse(self, descriptor: int, forbidden: tuple[int, int] | None, system: System) -> None:
        status = system.status_of(descriptor)
        if (status.st_dev, status.st_ino) == forbidden:
            raise Denied(f"{self.shown}: the hub's own state is no place for files")


@dataclass(frozen=True)
class Places:
    """The folders that `file:` endpoints may reach: below the data folder or a folder that the operator allowed."""

    data: Path
    allowed: tuple[Path, ...] = ()

    def resolve(self, url: str) -> Place:
        """Return the place of `file:a/b` (below the data folder) or `file:/srv/a` (below an allowed folder).

        Percent-escapes are decoded, as in every URL. Raises BadName for a URL that names no folder, Denied for a folder
        outside every root or inside the hub's state. Nothing is opened: the folder may not exist yet.
        """
        if not url.startswith("file:"):
            raise BadName("a folder's URL begins with file:")
        text = url.removeprefix("file:")
        if text.startswith("//"):
            text = text.removeprefix("//")
            if not text.startswith("/"):
                raise BadName("a file: URL names no host")
        try:
            path = unquote(text, errors="strict")
        except UnicodeDecodeError as error:
            raise BadName("a file: URL's escapes are not UTF-8") from error
        steps = tuple(step for step in path.split("/") if step)
        for step in steps:
            check_name(step)
        root = self.data
        if path.startswith("/"):
            root, steps = self._root_of(steps)
        forbidden = self.data / _STATE
        if _within(root.joinpath(*steps), forbidden):
            raise Denied(f"{url}: the hub's own state is no place for files")
        return Place(root, steps, forbidden, url)

    def _root_of(self, steps: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
        for root in (self.data.absolute(), *self.allowed):
            names = root.parts[1:]
            if steps[: len(names)] == names:
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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _make(name: str, folder: int, system: System) -> None:
    try:
        system.make_folder(name, folder)
    except FileExistsError:
        return
    system.sync(folder)


def _swap(old: int, new: int, system: System) -> int:
    system.close(old)
    return new
