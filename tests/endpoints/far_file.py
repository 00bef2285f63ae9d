"""Folders of this machine, as far sides of the shared suite."""

import contextlib
import os
from pathlib import Path

from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.targets import parse_url


class FarFolder:
    """A folder below the data folder."""

    kind = "file"
    resumes = True
    verifies = True
    byte_names = True
    versions = True

    def __init__(self, data: Path, name: str) -> None:
        self.path = data / name
        self.path.mkdir()
        self._folders = LocalFolders(data)
        self._url = f"file:{name}"

    def open(self):
        return open_file(parse_url(self._url), self._folders)

    def write_outside(self, path, content):
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def read_outside(self, path):
        with contextlib.suppress(FileNotFoundError):
            return (self.path / path).read_bytes()
        return None

    def names_outside(self):
        found = []
        for folder, _, names in os.walk(self.path):
            found += [str((Path(folder) / name).relative_to(self.path)) for name in names]
        return sorted(found)


@contextlib.contextmanager
def _folders(folder):
    """No server is needed for folders."""
    yield lambda name: FarFolder(folder, name)


SERVERS = {"file": _folders}
