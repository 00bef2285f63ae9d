"""The function that a worker runs in its children: the probe of one agent."""

import os
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

from mft_common.endpoints.errors import Denied, TransferError, Transient, UntrustedServer, reason_of
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.targets import Target
from mft_common.process.runner import Channel
from mqmft_svc.domain.agents import PROBLEM, READY, UNREACHABLE

PROBE: Final = f"{__name__}:probe"
_ALL: Final = Patterns(("*",))


def probe(_channel: Channel, payload: Mapping[str, Any]) -> dict[str, str]:
    """Look at the root of an agent; return the `finding` and its `detail` (184).

    Nothing is written there: whether a far side takes files shows when one is transferred.
    """
    endpoints, root = Endpoints.from_json(payload["endpoints"]), payload["root"]
    try:
        target = endpoints.find(root)
        if target.scheme == "file":
            _look_at_folder(endpoints, target)
        else:
            with endpoints.open(root) as endpoint:
                next(iter(endpoint.list(_ALL)), None)
    except TransferError as error:
        # A server that cannot be trusted is not the one that the configuration names.
        away = isinstance(error, Transient | UntrustedServer)
        return {"finding": UNREACHABLE if away else PROBLEM, "detail": reason_of(error)}
    return {"finding": READY, "detail": ""}


def _look_at_folder(endpoints: Endpoints, target: Target) -> None:
    """Raise TransferError unless files of a folder of this machine can be listed and made; nothing is listed."""
    with closing(endpoints.folders.resolve(target).open()) as folder:
        if not os.access(".", os.R_OK | os.W_OK | os.X_OK, dir_fd=folder.descriptor, effective_ids=True):
            raise Denied(f"{target.shown}: files cannot be read and written there")
