"""The `filestore:` endpoint: a folder of the hub's own store, through the internal service of filestore-svc."""

from mft_common.endpoints.filestore.endpoint import Filestore, FilestoreEndpoint

__all__ = ["Filestore", "FilestoreEndpoint"]
