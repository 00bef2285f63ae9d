"""Describe a resumable upload: how much of which file has arrived, how far it is, and which transfer it makes."""

import json
from dataclasses import dataclass
from typing import Final, Literal

from filestore_svc.domain.transfers import RunningTransfer

# receiving: bytes are missing. completing: all bytes are durable, and a process assembles, digests and scans them.
# sealed: they are durable under the id of the file to be, which only the commit makes visible. complete: committed.
State = Literal["receiving", "completing", "sealed", "complete"]

_PERSISTED: Final = (
    "transfer_id", "account", "address", "label", "request_id", "submitted_at", "source", "destination", "if_exists",
    "external",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A resumable upload, of which the first `received` of `length` bytes are durable.

    `two_step` uploads wait for a call that commits them; others are committed once their last byte has arrived.
    `attributes` is the JSON of the attributes to set, `metadata` the client's own header, `writer` names the request
    that may append, `token` the owner of unfinished uploads of the hub's services, `head` holds its transfer.
    `digest_state` continues the SHA-256 of the first `digested` bytes, `process` completes the upload until
    `lease_until`. Times are milliseconds since the epoch.
    """

    id: str
    path: str
    owner: str
    length: int
    received: int = 0
    datatype: str
    attributes: str = "{}"
    metadata: str = ""
    if_match: str = ""
    if_none_match: str = ""
    reject: bool = False
    writer: str = ""
    state: State = "receiving"
    two_step: bool = False
    token: str = ""
    staged: int = 0
    sha256: str = ""
    digested: int = 0
    digest_state: bytes | None = None
    process: str = ""
    lease_until: int = 0
    fileset: int = 0
    replaced: int = 0
    head: str
    began_at: int
    expires_at: int

    @property
    def name(self) -> str:
        """The name of the file that it becomes."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The path of the folder that the file goes to."""
        return self.path.rpartition("/")[0]

    def transfer(self) -> RunningTransfer:
        """Return the transfer, which was announced when the upload was made.

        Fields that another version stored and this one does not know are ignored.
        """
        head = {name: value for name, value in json.loads(self.head).items() if name in _PERSISTED}
        return RunningTransfer(**{"external": False, **head}, upload=True, announced=True, persistent=True)


def head_of(transfer: RunningTransfer) -> str:
    """Return the JSON from which `Upload.transfer` restores a transfer."""
    return json.dumps({name: getattr(transfer, name) for name in _PERSISTED})
