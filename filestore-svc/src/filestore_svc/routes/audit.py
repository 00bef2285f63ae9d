"""Write one audit line for each operation, without secrets and metadata values (S36)."""

from collections.abc import Callable
from typing import Any, Protocol

from flask import Response, g

from filestore_svc.domain.files import StoredFile
from filestore_svc.operations.downloads import DownloadBody
from mft_common import logs
from mft_common.identity import Identity


def note(**fields: Any) -> None:
    """Add fields to the audit line of this request."""
    g.setdefault("audit", {}).update(fields)


class Sender(Protocol):
    """The operations that open the bytes of a file."""

    def send(self, identity: Identity, file: StoredFile, start: int, stop: int) -> DownloadBody:
        """Open the bytes `start` to `stop`."""
        ...


def sender(operations: Sender, file: StoredFile) -> Callable[[int, int], DownloadBody]:
    """Return a function that opens the bytes of `file`; the audit line is then written when they have been sent."""

    def send(start: int, stop: int) -> DownloadBody:
        sending = operations.send(g.identity, file, start, stop)
        g.pop("audit", None)
        return sending

    return send


def audited(response: Response) -> Response:
    """Write the audit line of a response."""
    fields = g.get("audit")
    identity: Identity | None = g.get("identity")
    if fields and identity is not None:
        name = fields.pop("operation")
        account = fields.pop("account", identity.account)
        logs.get("audit").info(name, **fields, result=response.status_code, account=account, address=identity.address)
    return response
