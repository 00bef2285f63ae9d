"""The functions that a worker runs in its children: a job, and the removal of a job's temporary files."""

from collections.abc import Mapping
from typing import Any, Final

from diplomat_svc.operations.job_order import JobOrder
from diplomat_svc.operations.job_reports import JobReports
from diplomat_svc.operations.running import Run
from mft_common.endpoints.errors import TransferError
from mft_common.endpoints.registry import Endpoints
from mft_common.process.runner import Channel

RUN: Final = f"{__name__}:run"
SWEEP: Final = f"{__name__}:sweep"


def run(channel: Channel, payload: Mapping[str, Any]) -> dict[str, str | None]:
    """Run a job; return its completion status (None: it was stopped, or is no longer the worker's) and the reason."""
    order = JobOrder.from_json(payload["job"])
    endpoints = Endpoints.from_json(payload["endpoints"])
    completion, reason = Run(JobReports(channel, order), endpoints, channel.interrupt).run()
    return {"completion": completion, "reason": reason}


def sweep(_channel: Channel, payload: Mapping[str, Any]) -> str:
    """Remove the temporary files of a job; return why it could not be done, or an empty text."""
    order = JobOrder.from_json(payload["job"])
    endpoints = Endpoints.from_json(payload["endpoints"])
    try:
        endpoint = endpoints.open(order.definition.destination.url, order.transfer_id)
        try:
            endpoint.sweep(order.token)
        finally:
            endpoint.close()
    except TransferError as error:
        return str(error)
    return ""
