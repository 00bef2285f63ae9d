"""Name the watched folders of tasks, and the places of files in them (84, 93)."""

from typing import Final

from mft_common.watching.deliveries import place_digest
from sertainty_svc.domain.tasks import TaskDefinition

FILESTORE: Final = "filestore:"
LOCAL: Final = "file:"


def source_of(definition: TaskDefinition) -> str:
    """Return the one name of a task's source: `filestore:/path`, `file:/path`, or `file:path` below the first root."""
    text = definition.folders.source
    if text.startswith(FILESTORE):
        return f"{FILESTORE}/{_steps(text.removeprefix(FILESTORE))}"
    return f"{LOCAL}{'/' if text.startswith('/') else ''}{_steps(text)}"


def folders_above(file: str) -> list[str]:
    """Return the names of the folders of the filestore that hold a file, `/a/b/c`, the nearest first."""
    steps = _steps(file).split("/")[:-1]
    return [f"{FILESTORE}/{'/'.join(steps[:count])}" for count in range(len(steps), -1, -1)]


def place_of(folder: str, path: str) -> bytes:
    """Return the digest of the place of a file below a named folder; the three kinds of folders share no place."""
    kind = next(one for one in (FILESTORE, f"{LOCAL}/", LOCAL) if folder.startswith(one))
    return place_digest(kind, f"{folder.removeprefix(kind)}/{path}")


def _steps(path: str) -> str:
    return "/".join(step for step in path.split("/") if step not in ("", "."))
