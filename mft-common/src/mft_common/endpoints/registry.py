"""Open any endpoint by its URL or by its name in crossdock.yaml."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from mft_common.config import Reader
from mft_common.endpoints.contract import Endpoint
from mft_common.endpoints.errors import TransferError, Transient
from mft_common.endpoints.files import open_file
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.folders import LocalFolders, check_allowed
from mft_common.endpoints.section import Targets, read_targets
from mft_common.endpoints.targets import REFERENCE, Target, target_of

# Where each kind's `open_KIND(target)` is; imported with the first use, because their libraries are large.
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "sftp": ("mft_common.endpoints.sftp", "open_sftp"),
    "ftp": ("mft_common.endpoints.ftp", "open_ftp"),
    "ftps": ("mft_common.endpoints.ftp", "open_ftp"),
    "s3": ("mft_common.endpoints.s3", "open_s3"),
    "http": ("mft_common.endpoints.http", "open_http"),
    "https": ("mft_common.endpoints.http", "open_http"),
}
# The kinds whose files are moved aside before they are deleted.
_DELETED_IN_STEPS: Final = ("file", "sftp", "ftp", "ftps")
# What takes long to import: half a second each on two cores.
_LIBRARIES: Final[Mapping[str, str]] = {"sftp": "asyncssh", "s3": "boto3"}
SECTIONS: Final[Mapping[str, type]] = {"endpoints": dict, "allowed_folders": list}


@dataclass(frozen=True)
class Endpoints:
    """The endpoints that work may use: `targets` by name, `folders` of this machine, and the hub's own `filestore`."""

    targets: Targets = field(default_factory=Targets)
    folders: LocalFolders = field(default_factory=lambda: LocalFolders(Path("data")))
    filestore: Filestore | None = None

    def find(self, url: str) -> Target:
        """Return the target of a URL or of `endpoint:NAME[/folder]`.

        BadName where it is none or lacks something, Denied for a folder that no endpoint may reach. Nothing is opened.
        """
        target = self.targets.find(url)
        if target.scheme == "file":
            self.folders.resolve(target)
        return target

    def only(self, *urls: str) -> Self:
        """Return the endpoints that the URLs name, without the secrets of the others and of filestore."""
        names = {url.removeprefix(REFERENCE).partition("/")[0] for url in urls if url.startswith(REFERENCE)}
        targets = {name: target for name, target in self.targets.named.items() if name in names}
        schemes = {url.partition(":")[0] for url in urls} | {target.scheme for target in targets.values()}
        return replace(self, targets=Targets(targets), filestore=self.filestore if "filestore" in schemes else None)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a child process; it holds secrets."""
        return {
            "targets": {name: asdict(target) for name, target in self.targets.named.items()},
            "data": str(self.folders.data),
            "allowed": [str(folder) for folder in self.folders.allowed],
            "filestore": None if self.filestore is None else asdict(self.filestore),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the endpoints of what `to_json` gave."""
        targets = {name: target_of(value) for name, value in values["targets"].items()}
        folders = LocalFolders(Path(values["data"]), tuple(Path(folder) for folder in values["allowed"]))
        given = values["filestore"]
        filestore = None if given is None else Filestore(**{**given, "keys": tuple(given["keys"])})
        return cls(Targets(targets), folders, filestore)

    def problem_of(self, url: str) -> str:
        """Return why a URL cannot be opened, "" where it may be."""
        try:
            self.find(url)
        except TransferError as error:
            return str(error)
        return ""

    def open(self, url: str, transfer_id: str | None = None, *, create: bool = False, text: bool = False) -> Endpoint:
        """Open an endpoint; its bytes belong to the transfer `transfer_id`.

        `create` makes a missing folder where the endpoint has folders. `text` asks for the transfer type of text, where
        the protocol has one: files are read and written with LF then. TransferError where it is not allowed or fails.
        """
        target = self.find(url)
        if text and target.scheme in ("ftp", "ftps"):
            target = replace(target, mode="ascii")
        if target.scheme == "file":
            return open_file(target, self.folders, create=create)
        if target.scheme == "filestore":
            if self.filestore is None:
                raise Transient("filestore: is reached through a hub, and none runs on this data folder")
            return self.filestore.open(target.folder, transfer_id)
        opened = _opener(target.scheme)(target)
        if create and opened.features.folders:
            try:
                opened.make_folder("")
            except BaseException:
                opened.close()
                raise
        return opened

    def end_deletions(self, url: str, token: str) -> None:
        """End the deletions of `token` in a folder that were cut off, so that no file stays aside; TransferError.

        The kinds that delete by one call have nothing to be ended, and are not opened.
        """
        if self.find(url).scheme in _DELETED_IN_STEPS:
            with self.open(url) as endpoint:
                endpoint.end_deletions(token)


def modules_for(urls: Iterable[str]) -> tuple[str, ...]:
    """Return the modules that a fork server imports once, so that no child waits for the kinds of these URLs."""
    schemes = sorted({url.partition(":")[0] for url in urls} & set(_KINDS))
    libraries = [_LIBRARIES[scheme] for scheme in schemes if scheme in _LIBRARIES]
    return tuple(dict.fromkeys([*(_KINDS[scheme][0] for scheme in schemes), *libraries]))


def _opener(scheme: str) -> Callable[[Target], Endpoint]:
    module, name = _KINDS[scheme]
    opener: Callable[[Target], Endpoint] = getattr(importlib.import_module(module), name)
    return opener


def read_endpoints(
    document: Mapping[str, Any], secrets: Reader, data: Path, filestore: Filestore | None = None
) -> Endpoints:
    """Return the endpoints of a configuration; every problem of its sections is added to `secrets.problems`."""
    section = document.get("endpoints") or {}
    if not isinstance(section, Mapping):
        secrets.problems.append("endpoints: is no mapping")
        section = {}
    listed = document.get("allowed_folders") or []
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        secrets.problems.append("allowed_folders: is no list of folders")
        listed = []
    allowed = tuple(Path(one) for one in listed)
    secrets.problems.extend(f"allowed_folders: {problem}" for problem in check_allowed(allowed, data))
    folders = LocalFolders(data, allowed)
    targets = read_targets(section, secrets)
    endpoints = Endpoints(Targets(targets), folders, filestore)
    for name, target in targets.items():
        if target.scheme == "file" and (problem := endpoints.problem_of(f"endpoint:{name}")):
            secrets.problems.append(f"endpoints.{name}.url: {problem}")
    return endpoints
