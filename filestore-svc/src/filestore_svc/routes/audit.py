"""Write one line for each operation: who, what, where, how it ended; never a secret or a metadata value (S36)."""

from collections.abc import Callable
from typing import Any, Protocol

from flask import Response, g

from filestore_svc.domain.files import StoredFile
from filestore_svc.operations.downloads import Sending
from mft_common import logs
from mft_common.identity import Identity


def note(**fields: Any) -> None:
    """Add to the line of the request at hand."""
    g.setdefault("audit", {}).update(fields)


class Sender(Protocol):
    """Operations that open a file's bytes."""

    def send(self, identity: Identity, file: StoredFile, start: int, stop: int) -> Sending:
        """Open them."""
        ...


def sender(operations: Sender, file: StoredFile) -> Callable[[int, int], Sending]:
    """Return what opens the bytes of `file` for the request at hand, whose line is then written when they are gone."""

    def send(start: int, stop: int) -> Sending:
        sending = operations.send(g.identity, file, start, stop)
        g.pop("audit", None)
        return sending

    return send


def audited(response: Response) -> Response:
    """Write the line, after the answer was made."""
    fields = g.get("audit")
    identity: Identity | None = g.get("identity")
    if fields and identity is not None:
        name = fields.pop("operation")
        account = fields.pop("account", identity.account)
        logs.get("audit").info(name, **fields, result=response.status_code, account=account, address=identity.address)
    return response
