"""Declare what each kind of endpoint brings to the shared suite: a server, and a look at its files from outside."""

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from mft_common.endpoints.contract import Endpoint
from mft_common.endpoints.registry import Endpoints


class Far(Protocol):
    """An empty folder at a far side, made for one test.

    `kind` names the implementation, `resumes` is True where `features.resume_write` must be, `verifies` where a wrong
    SHA-256 is found before the commit, `byte_names` where names that are not UTF-8 can be stored, `versions` where
    every entry has a version.
    """

    kind: str
    resumes: bool
    verifies: bool
    byte_names: bool
    versions: bool

    def open(self) -> Endpoint:
        """Return an endpoint on a connection of its own; the test closes it."""
        ...

    def endpoints(self) -> Endpoints:
        """Return what another process needs to open the same folder as `endpoint:far`."""
        ...

    def write_outside(self, path: str, content: bytes) -> None:
        """Store a file without the endpoint, folders above it included; an existing one is replaced."""
        ...

    def read_outside(self, path: str) -> bytes | None:
        """Return what a file holds, None where there is none."""
        ...

    def names_outside(self) -> list[str]:
        """Return the paths of all files that others can list, unfinished ones included, sorted."""
        ...


# Starts a server whose files lie below a folder of this machine, and gives a function that makes a far side of a name.
Server = Callable[[Path], AbstractContextManager[Callable[[str], Far]]]


class LocalFolder:
    """The look from outside at a far side whose server keeps its files in the folder `path` of this machine."""

    path: Path

    def write_outside(self, path: str, content: bytes) -> None:
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def read_outside(self, path: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return (self.path / path).read_bytes()
        return None

    def names_outside(self) -> list[str]:
        found = []
        for folder, _, names in os.walk(self.path):
            found += [str((Path(folder) / name).relative_to(self.path)) for name in names]
        return sorted(found)
