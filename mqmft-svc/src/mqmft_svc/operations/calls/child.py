"""The function that a worker runs in its children for a call: one try of it."""

from collections.abc import Mapping
from typing import Any, Final

from mft_common.process.runner import Channel
from mqmft_svc.domain.calls import CallRequest
from mqmft_svc.operations.calls import trying

RUN: Final = f"{__name__}:run"


def run(_channel: Channel, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Make one try, and return how it went."""
    call = CallRequest.from_json(payload["request"])
    return trying.make(call, payload["id"], payload["body"], payload["hosts"]).to_json()
