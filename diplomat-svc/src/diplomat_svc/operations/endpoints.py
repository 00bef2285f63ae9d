"""Open the folders that a definition's URLs name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mft_common.identity import Signer
from mft_common.transfer import Endpoint, FileEndpoint, FilestoreUpstream, Places, Transient


@dataclass(frozen=True)
class Endpoints:
    """The endpoints that a job may use: folders of this machine, and the hub's own store.

    `filestore` is the base URL of filestore-svc, whose requests are signed with the last of `keys`.
    """

    data: Path
    allowed: tuple[Path, ...] = ()
    filestore: str | None = None
    keys: tuple[str, ...] = field(default=(), repr=False)

    def open(self, url: str, transfer_id: str, *, create: bool) -> Endpoint:
        """Open the folder at `url`; `create` makes a missing one. TransferError where that is not allowed or fails."""
        if url.startswith("filestore:"):
            if self.filestore is None:
                raise Transient("filestore is not connected to this worker")
            upstream = FilestoreUpstream(self.filestore, Signer(self.keys))
            return upstream.open(url.removeprefix("filestore:"), transfer_id)
        place = Places(self.data, self.allowed).resolve(url)
        return FileEndpoint(place.open(create=create), shown=url)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a child; it holds secrets."""
        folders = [str(folder) for folder in self.allowed]
        return {"data": str(self.data), "allowed": folders, "filestore": self.filestore, "keys": list(self.keys)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the endpoints of what `to_json` gave."""
        allowed = tuple(Path(folder) for folder in values["allowed"])
        return cls(Path(values["data"]), allowed, values["filestore"], tuple(values["keys"]))
