"""Open the endpoints that a command names: URLs, paths of this machine, and names of crossdock.yaml."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from crossdock import configuration, environment
from mft_common.config import Reader, load
from mft_common.endpoints.contract import Endpoint
from mft_common.endpoints.errors import BadName
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.registry import SECTIONS, Endpoints, read_endpoints
from mft_common.endpoints.targets import LOCAL, NETWORK, REFERENCE, Target
from mft_common.settings import csv, lookup

_SCHEMES: Final = (*(f"{one}:" for one in (*LOCAL, *NETWORK)), REFERENCE)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Ends:
    """The endpoints of one run of a command.

    `section` holds the configured endpoints as they were written. Unlike a service, the command reaches every folder
    that its user can, but for the hub's own state: the user names it and has the rights of that account only.
    """

    endpoints: Endpoints
    section: Mapping[str, Any]

    @classmethod
    def read(cls, config: Path | None, data: Path, environ: Mapping[str, str], *urls: str) -> Self:
        """Read those endpoints of the configuration that `urls` name; ConfigError names every problem of them.

        The secrets of other endpoints are not looked up: a command needs those of its own ends only.
        """
        document, reader = read_document(config, data, environ)
        section = document.get("endpoints") or {}
        named = {name_of(url) for url in urls} & set(section)
        wanted = {"endpoints": {name: section[name] for name in named}}
        if "allowed_folders" in document:
            wanted["allowed_folders"] = document["allowed_folders"]
        endpoints = read_endpoints(wanted, reader, data, _filestore(data, environ))
        reader.check()
        return cls(replace(endpoints, folders=LocalFolders(data, (Path("/"),))), section)

    def check_argument(self, text: str) -> None:
        """Raise BadName for `bank:in/` where an endpoint `bank` is configured: as a path it would be a local file."""
        name, colon, folder = text.partition(":")
        if colon and name in self.section and not text.startswith(_SCHEMES):
            meant = f"{REFERENCE}{name}/{folder}".rstrip("/") + ("/" if folder.endswith("/") else "")
            raise BadName(f"{text}: is {meant} meant? The file of this machine is ./{text}")

    def find(self, url: str) -> Target:
        """Return the target of a URL; BadName or Denied where it is none, or may not be opened."""
        return self.endpoints.find(url)

    def open(self, url: str, *, create: bool = False) -> Endpoint:
        """Open an endpoint; TransferError."""
        return self.endpoints.open(url, create=create)

    @staticmethod
    def is_folder(url: str) -> bool:
        """Return whether a URL says by itself that it is a folder's."""
        return url.endswith(("/", ":"))


def read_document(config: Path | None, data: Path, environ: Mapping[str, str]) -> tuple[dict[str, Any], Reader]:
    """Return the sections of endpoints and keys of a configuration file, and the reader that resolves their references.

    Without `config` that is crossdock.yaml of the current folder, where there is one. The sections of services are
    passed over: to load what validates them takes longer than a small copy.
    """
    if config is None and not configuration.DEFAULT.exists():
        return {}, Reader(Path(), environ, data=data)
    path = (config or configuration.DEFAULT).absolute()
    return load(path, {**SECTIONS, "openpgp": dict}, whole=False), Reader(path.parent, environ, data=data)


def _filestore(data: Path, environ: Mapping[str, str]) -> Filestore | None:
    """Return the way to filestore-svc: that of the environment, else to the hub that runs on the data folder."""
    socket = environment.filestore_socket(data)
    url = lookup("MFT_FILESTORE_URL", environ) or (f"unix:{socket}" if socket.exists() else "")
    keys = lookup("MFT_INTERNAL_KEYS", environ) or environment.internal_key(data)
    return Filestore(url, csv(keys)) if url and keys else None


def name_of(url: str) -> str:
    """Return the name of the endpoint that `endpoint:NAME/folder` refers to, "" for another URL."""
    return url.removeprefix(REFERENCE).partition("/")[0] if url.startswith(REFERENCE) else ""


def url_of(text: str) -> str:
    """Return the URL of an argument: a text without a scheme is a path of this machine, from the current folder on.

    A text with another scheme and `//` stays a URL, so that a misspelt scheme is refused, not made a folder.
    """
    if text.startswith(_SCHEMES) or _URL.match(text):
        return text
    path = absolute(Path(text))
    # Bytes: a name of this machine need not be UTF-8.
    return f"file:{quote(os.fsencode(path))}{'/' if text.endswith('/') and str(path) != '/' else ''}"


def absolute(path: Path) -> Path:
    """Return a path from the root: links above the last step are the user's own business, none is followed in that."""
    folder, name = (path.parent, path.name) if path.name and path.name != ".." else (path, "")
    # Unlike `Path.resolve` this takes a circle of links for what is not there.
    return Path(os.path.realpath(folder), name)
