"""Open the folders that a definition's URLs name."""

from dataclasses import dataclass

from mft_common.transfer import Endpoint, FileEndpoint, FilestoreUpstream, Places, Transient


@dataclass(frozen=True)
class Endpoints:
    """The endpoints that a job may use: folders of this machine, and the hub's own store."""

    places: Places
    filestore: FilestoreUpstream | None

    def open(self, url: str, transfer_id: str, *, create: bool) -> Endpoint:
        """Open the folder at `url`; `create` makes a missing one. TransferError where that is not allowed or fails."""
        if url.startswith("filestore:"):
            if self.filestore is None:
                raise Transient("filestore is not connected to this worker")
            return self.filestore.open(url.removeprefix("filestore:"), transfer_id)
        place = self.places.resolve(url)
        return FileEndpoint(place.open(create=create), shown=url)
