"""Say what an upload in pieces is: how much of which file has arrived, and which transfer it makes."""

import json
from dataclasses import dataclass
from typing import Final

from filestore_svc.domain.transfers import RunningTransfer

_KEPT: Final = (
    "transfer_id", "account", "address", "label", "request_id", "submitted_at", "source", "destination", "if_exists",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An upload in pieces: `received` of `length` bytes are durable, `fileset` is its file once all of them are.

    `attributes` is the JSON of what its metadata sets, `metadata` what the client sent about it, `writer` names the
    request that may add to it, `head` remembers its transfer. Times are milliseconds since the epoch.
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
    fileset: int = 0
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
        head = {name: value for name, value in json.loads(self.head).items() if name in _KEPT}
        return RunningTransfer(**head, external=False, upload=True, announced=True, persistent=True)


def head_of(transfer: RunningTransfer) -> str:
    """Return what is to be remembered of a transfer from one request to the next."""
    return json.dumps({name: getattr(transfer, name) for name in _KEPT})
