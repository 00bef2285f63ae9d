"""Keep the checkpoints of an unfinished copy in a file, so that a later run of the command goes on there."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from crossdock.errors import CannotStart
from mft_common.process import file_locks

_LOCK_DIGITS: Final = 15


class Saved:
    """The checkpoints of one copy by the files' paths at the destination; without a path nothing is kept.

    `token` marks the copy's unfinished files. The file is private to its user and holds no secret.
    """

    def __init__(self, token: str, path: Path | None = None) -> None:
        self.token = token
        self._path = path
        self._found: dict[str, Any] = {}
        if path is not None and path.exists():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                found = None
            self._found = found if isinstance(found, dict) else {}

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, token: str) -> Iterator[Self]:
        """Give the checkpoints for the block; CannotStart while another process runs the same copy."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / "lock").open("a") as lock:
            # Each copy locks one byte of the same file, so that nothing is left to remove.
            if not file_locks.acquire(lock.fileno(), start=int(token[:_LOCK_DIGITS], 16), length=1):
                raise CannotStart("this copy is running already, in another process")
            saved = cls(token, folder / f"{token}.json")
            yield saved
            saved.clean_up()

    def find(self, path: str) -> Mapping[str, Any] | None:
        """Return the checkpoint of a file."""
        found = self._found.get(path)
        return found if isinstance(found, dict) else None

    def store(self, path: str, checkpoint: Mapping[str, Any]) -> None:
        """Keep a file's newest checkpoint, durably."""
        if self._path is not None:
            self._found[path] = dict(checkpoint)
            self._write()

    def remove(self, path: str) -> None:
        """Forget a file that is complete."""
        if self._found.pop(path, None) is not None and self._path is not None:
            self._write()

    def clean_up(self) -> None:
        """Remove the file once nothing is unfinished."""
        if self._path is not None and not self._found:
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        assert self._path is not None
        part = self._path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._found, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
