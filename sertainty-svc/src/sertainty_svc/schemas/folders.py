"""Read the folders of a task by their text alone: below a root, or in the filestore (93, 103)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Self

from sertainty_svc.domain.tasks import Folders
from sertainty_svc.schemas.leaves import Leaves

FILESTORE: Final = "filestore:"


@dataclass(frozen=True)
class Roots:
    """The folders that tasks may reach: absolute, with their links resolved, and under the names of the configuration.

    Relative paths lie below the first one.
    """

    folders: tuple[PurePath, ...] = ()
    names: tuple[PurePath, ...] = ()


@dataclass(frozen=True)
class Place:
    """A folder in normal form: an absolute local path, or a path of the filestore."""

    filestore: bool
    path: PurePath

    def is_below(self, other: Self) -> bool:
        """Return whether it lies in a folder, or is that folder."""
        return self.filestore == other.filestore and self.path.is_relative_to(other.path)


def read_folders(leaves: Leaves, roots: Roots, *, recurse: bool) -> Folders:
    """Return the folders of a task; InvalidRequest for one whose text leads outside of every root.

    No folder may be the source nor, with `recurse`, lie below it. Whether folders exist, and where links lead, is for
    each execution to see.
    """
    places: dict[str, Place] = {}
    for tag in ("Source", "Destination", "Failed", "Archive"):
        if text := leaves.text(tag):
            place = places[tag] = _place(leaves, tag, text, roots)
            source = places.get("Source")
            if tag != "Source" and source is not None:
                if place == source:
                    raise leaves.problem(tag, "the source folder")
                if recurse and place.is_below(source):
                    raise leaves.problem(tag, "a folder below the source, whose subfolders are taken too")
    return Folders(
        source=leaves.text("Source"),
        destination=leaves.text("Destination"),
        failed=leaves.text("Failed"),
        archive=leaves.text("Archive"),
    )


def _place(leaves: Leaves, tag: str, text: str, roots: Roots) -> Place:
    if ".." in text:
        raise leaves.problem(tag, "a folder with `..` in it")
    if text.startswith(FILESTORE):
        path = PurePath(text.removeprefix(FILESTORE))
        if not path.is_absolute():
            raise leaves.problem(tag, "no absolute path in the filestore")
        return Place(filestore=True, path=_single_slash(path))
    path = PurePath(text)
    if not path.is_absolute():
        if not roots.folders:
            raise leaves.problem(tag, "a relative path, and there is no root")
        return Place(filestore=False, path=roots.folders[0] / path)
    found = _below(_single_slash(path), roots.folders, roots.folders)
    found = found or _below(_single_slash(path), roots.names, roots.folders)
    if found is None:
        raise leaves.problem(tag, "outside of every root")
    return Place(filestore=False, path=found)


def _below(path: PurePath, names: Sequence[PurePath], roots: Sequence[PurePath]) -> PurePath | None:
    """Return a path below one of `names` as one below the root of the same place; None where it is below none."""
    for name, root in zip(names, roots, strict=False):
        if path.is_relative_to(name):
            return root / path.relative_to(name)
    return None


def _single_slash(path: PurePath) -> PurePath:
    """Return an absolute path that begins with one slash: POSIX leaves the meaning of two open."""
    return PurePath(f"/{str(path).lstrip('/')}")
