"""Keep in a file what a copy has unfinished, so that a later run goes on with it or removes it."""

import contextlib
import hashlib
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, TextIO

from crossdock.errors import CannotStart
from mft_common.process import file_locks

_LOCK_DIGITS: Final = 15


def folder_of(data: Path) -> Path:
    """Return the folder for the private files of copies; it and the state's folder are made for this user alone."""
    folder = data / "state" / "copy"
    data.mkdir(parents=True, exist_ok=True)
    for made in (folder.parent, folder):
        # `parents` of `mkdir` would give the upper one the usual mode.
        made.mkdir(exist_ok=True, mode=0o700)
    return folder


class Saved:
    """The unfinished files of one copy: their names at the destination, and checkpoints by the files' paths there.

    `token` marks them; the same copy with the same data folder has the same token. The file is private to its user and
    holds no secret. Names are written before the files are made: they outlive a kill of the command, and with it a run
    that has no file at all (`path` None). Several threads may use it.
    """

    def __init__(self, token: str, path: Path | None = None) -> None:
        self.token = token
        self._path = path
        self._lock = threading.Lock()
        found = _read(path)
        self._checkpoints: dict[str, Any] = found.get("checkpoints", {})
        # Names of unfinished files, each with the path of the file that it belongs to.
        self._begun: dict[str, str] = found.get("begun", {})

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, copy: str) -> Iterator[Self]:
        """Give what is saved of a copy for the block; CannotStart while another process runs the same copy.

        `copy` is a text of all that makes two copies the same.
        """
        with _lock_file(folder) as lock:
            # The token of this data folder alone: the same copy of another machine must not take our unfinished files.
            names = f"{lock.read()}\n{copy}"
            token = hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()[:48].upper()
            # Each copy locks one byte of the same file, so that nothing is left to remove.
            if not file_locks.acquire(lock.fileno(), start=int(token[:_LOCK_DIGITS], 16), length=1):
                raise CannotStart("this copy is running already, in another process")
            yield cls(token, folder / f"{token}.json")

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The names of the files that were begun and not ended."""
        return tuple(self._begun)

    @property
    def resumable(self) -> bool:
        """Whether there is a checkpoint of any file."""
        return bool(self._checkpoints)

    def find(self, path: str) -> Mapping[str, Any] | None:
        """Return the checkpoint of a file."""
        found = self._checkpoints.get(path)
        return found if isinstance(found, dict) else None

    def begin(self, temporary: str, path: str) -> None:
        """Keep the name of an unfinished file, before it is made."""
        with self._lock:
            if self._begun.get(temporary) != path:
                self._begun[temporary] = path
                self._write()

    def store(self, path: str, checkpoint: Mapping[str, Any]) -> None:
        """Keep a file's newest checkpoint, durably."""
        with self._lock:
            self._checkpoints[path] = dict(checkpoint)
            self._write(durable=True)

    def remove(self, path: str, gone: str = "") -> None:
        """Forget a file's checkpoint and its unfinished file `gone`; those of earlier tries and runs stay known."""
        with self._lock:
            self._checkpoints.pop(path, None)
            self._begun.pop(gone, None)
            self._write()

    def clear(self) -> None:
        """Forget every file."""
        with self._lock:
            self._checkpoints, self._begun = {}, {}
            self._write()

    def _write(self, *, durable: bool = False) -> None:
        """Write the file anew; a full disk is no error of the copy, only costs a later run what it would go on with."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._replace(self._path, durable=durable)

    def _replace(self, path: Path, *, durable: bool) -> None:
        if not self._checkpoints and not self._begun:
            path.unlink(missing_ok=True)
            return
        part = path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump({"checkpoints": self._checkpoints, "begun": self._begun}, file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)


def _lock_file(folder: Path) -> TextIO:
    """Open the file of the locks; it holds a random text from the first copy on."""
    path = folder / "lock"
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=folder) as made:
            made.write(secrets.token_hex(16))
            made.flush()
            os.fsync(made.fileno())
            # Another copy may be faster, and some file systems have no links: then the text is empty.
            with contextlib.suppress(OSError):
                os.link(made.name, path)
    lock = path.open("a+", encoding="ascii")
    lock.seek(0)
    return lock


def _read(path: Path | None) -> dict[str, dict[str, Any]]:
    """Return what an earlier run has saved; nothing where there is no file, or one of another version."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) and all(isinstance(value, dict) for value in found.values()) else {}
