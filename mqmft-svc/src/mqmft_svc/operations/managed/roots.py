"""The root of one agent, as a run of a managed transfer uses it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import BadName, NotFound
from mqmft_svc.operations.managed.order import DESTINATION, SOURCE, Order, url_of
from mqmft_svc.operations.managed.paths import path_below, split
from mqmft_svc.operations.managed.problems import SourceMissing

_FOLDERS: Final = "file"
# Of these the server follows links in a path; the endpoint looks at the last name alone.
_FOLLOWING: Final = ("sftp", "ftp", "ftps")


class Root:
    """An open root. What is missing at a source is SourceMissing; the root of a destination is made."""

    def __init__(self, order: Order, side: str) -> None:
        self._side = side
        self._transfer_id = order.transfer_id
        with self._missing():
            self._endpoints, self.target = order.root(side)
            create = side == DESTINATION
            self.endpoint = self._endpoints.open(url_of(side), order.transfer_id, create=create)
        self._places = self._local_places()
        # Folders that are known to be none of a link, and those that were made.
        self._checked: set[str] = set()
        self._made: set[str] = set()

    def path(self, name: str) -> str:
        """Return the path below the root that a name of the request means; OutsideRoot (217)."""
        return path_below(name, self._places)

    def look(self, path: str) -> Entry:
        """Return the file or folder of a path; NotFound, and NotRegular where it is a link or leads through one."""
        self.check_folders(path)
        with self._missing():
            try:
                return self.endpoint.stat(path)
            except (NotFound, BadName):
                if self.target.scheme != "filestore" or not path:
                    raise
            # The store tells of a folder by another call, and takes the name of one of its own for no file's.
            with self.below(path) as folder:
                folder.stat("")
            return Entry(path, kind="folder")

    @contextmanager
    def below(self, folder: str) -> Iterator[Endpoint]:
        """Give an endpoint of a folder below the root, "" for the root itself."""
        if not folder:
            yield self.endpoint
            return
        self.check_folders(f"{folder}/*")
        with self._missing():
            opened = self._endpoints.open(url_of(self._side, folder), self._transfer_id)
        with opened, self._missing():
            yield opened

    def check_folders(self, path: str) -> None:
        """Raise NotRegular where a folder of a path is a link that the far side would follow."""
        if self.target.scheme not in _FOLLOWING:
            return
        steps = path.split("/")[:-1]
        for count in range(1, len(steps) + 1):
            folder = "/".join(steps[:count])
            if folder in self._checked:
                continue
            try:
                self.endpoint.stat(folder)
            except NotFound:
                return
            self._checked.add(folder)

    def make_folder_of(self, path: str) -> None:
        """Make the folder of a file where it is missing and the endpoint has folders."""
        folder = split(path)[0]
        if folder and folder not in self._made and self.endpoint.features.folders:
            self.endpoint.make_folder(folder)
            self._made.add(folder)

    def place(self, path: str) -> tuple[Any, ...]:
        """Return what is the same for two paths of one file of a server."""
        whole = self.target.below(path)
        return whole.scheme, whole.host.lower(), whole.port, whole.user, whole.endpoint, whole.folder

    @property
    def has_identities(self) -> bool:
        """Whether two files of the same version are one: versions of a folder hold device and inode."""
        return self.target.scheme == _FOLDERS

    def close(self) -> None:
        """Close the connection."""
        self.endpoint.close()

    def _local_places(self) -> tuple[str, ...]:
        """Return the paths of the root on this machine, none for other kinds of endpoints."""
        if self.target.scheme != _FOLDERS:
            return ()
        found = self._endpoints.folders.resolve(self.target)
        place = os.fspath(found.root.absolute() / found.path)
        return place, os.path.realpath(place)

    @contextmanager
    def _missing(self) -> Iterator[None]:
        try:
            yield
        except NotFound as error:
            if self._side != SOURCE:
                raise
            raise SourceMissing(str(error)) from error
