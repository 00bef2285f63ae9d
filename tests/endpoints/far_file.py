"""Folders of this machine, as far sides of the shared suite."""

import contextlib
from pathlib import Path

from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.section import Targets
from mft_common.endpoints.targets import parse_url
from tests.endpoints.far import LocalFolder


class FarFolder(LocalFolder):
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

    def endpoints(self):
        return Endpoints(Targets({"far": parse_url(self._url)}), self._folders)


@contextlib.contextmanager
def _folders(folder):
    """No server is needed for folders."""
    yield lambda name: FarFolder(folder, name)


SERVERS = {"file": _folders}
