"""Move files between endpoints so that nobody ever sees part of one: the byte-moving engine of every service."""

from mft_common.endpoints.errors import (
    BadName,
    Changed,
    Denied,
    DiskFull,
    Exists,
    Interrupted,
    Mismatch,
    NotFound,
    TargetIsFolder,
    TransferError,
    Transient,
)
from mft_common.endpoints.names import Patterns, is_temporary, temporary_name
from mft_common.transfer.bandwidth import Bandwidth
from mft_common.transfer.endpoint import Endpoint, Entry, Interrupt, Reader, Writer
from mft_common.transfer.engine import Moved, Mover
from mft_common.transfer.files import FileEndpoint
from mft_common.transfer.filestore import FilestoreEndpoint, FilestoreUpstream
from mft_common.transfer.places import Place, Places

__all__ = [
    "BadName",
    "Bandwidth",
    "Changed",
    "Denied",
    "DiskFull",
    "Endpoint",
    "Entry",
    "Exists",
    "FileEndpoint",
    "FilestoreEndpoint",
    "FilestoreUpstream",
    "Interrupt",
    "Interrupted",
    "Mismatch",
    "Moved",
    "Mover",
    "NotFound",
    "Patterns",
    "Place",
    "Places",
    "Reader",
    "TargetIsFolder",
    "TransferError",
    "Transient",
    "Writer",
    "is_temporary",
    "temporary_name",
]
