"""Name the watched folders of tasks, and the places of files in them (84, 93)."""

from typing import Final

from mft_common.watching.deliveries import place_digest
from sertainty_svc.domain.tasks import TaskDefinition

FILESTORE: Final = "filestore:"
LOCAL: Final = "file:"


def source_of(definition: TaskDefinition) -> str:
    """Return the one name of a task's source."""
    return folder_of(definition.folders.source)


def folder_of(text: str) -> str:
    """Return the one name of a task's folder: `filestore:/path`, `file:/path`, or `file:path` below the first root."""
    if text.startswith(FILESTORE):
        return f"{FILESTORE}/{_steps(text.removeprefix(FILESTORE))}"
    return f"{LOCAL}{'/' if text.startswith('/') else ''}{_steps(text)}"


def folders_above(folder: str, path: str) -> list[str]:
    """Return the names of the folders that hold a file below a named folder, the nearest first."""
    begin = f"{FILESTORE}/" if folder.startswith(FILESTORE) else _kind_of(folder)
    steps = _steps(f"{folder.removeprefix(begin)}/{path}").split("/")[:-1]
    return [f"{begin}{'/'.join(steps[:count])}" for count in range(len(steps), -1, -1)]


def place_of(folder: str, path: str) -> bytes:
    """Return the digest of the place of a file below a named folder; the three kinds of folders share no place."""
    kind = _kind_of(folder)
    return place_digest(kind, f"{folder.removeprefix(kind)}/{path}")


def _kind_of(folder: str) -> str:
    return next(one for one in (FILESTORE, f"{LOCAL}/", LOCAL) if folder.startswith(one))


def _steps(path: str) -> str:
    return "/".join(step for step in path.split("/") if step not in ("", "."))
