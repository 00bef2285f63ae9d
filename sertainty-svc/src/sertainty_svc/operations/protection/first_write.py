"""Write a file that several processes may want to make at the same moment, once and whole."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_first(path: Path, content: bytes) -> None:
    """Make a durable file that its owner alone can read; one that is there already, or appears meanwhile, stays."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _publish(Path(name), path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _publish(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    except OSError:
        # A file system without links: a rename, which may replace the file of a process that is as early as this one.
        temporary.rename(path)
