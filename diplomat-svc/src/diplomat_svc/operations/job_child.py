"""The functions that a worker runs in its children: a job, and the removal of a job's temporary files."""

import contextlib
from collections.abc import Mapping
from typing import Any, Final

from diplomat_svc.operations.job_order import JobOrder
from diplomat_svc.operations.job_reports import JobReports
from diplomat_svc.operations.running import Run
from mft_common.endpoints.contract import Endpoint
from mft_common.endpoints.errors import NotFound, TransferError
from mft_common.endpoints.registry import Endpoints
from mft_common.process.runner import Channel

RUN: Final = f"{__name__}:run"
SWEEP: Final = f"{__name__}:sweep"


def run(channel: Channel, payload: Mapping[str, Any]) -> dict[str, str | bool | None]:
    """Run a job; return its completion status, the reason, and whether temporary files may be left.

    The status is None where the job was stopped, or is no longer the worker's.
    """
    order = JobOrder.from_json(payload["job"])
    endpoints = Endpoints.from_json(payload["endpoints"])
    attempt = Run(JobReports(channel, order), endpoints, channel.interrupt)
    completion, reason = attempt.run()
    return {"completion": completion, "reason": reason, "left": attempt.left}


def sweep(_channel: Channel, payload: Mapping[str, Any]) -> str:
    """Remove the temporary files of a job; return why it could not be done, or an empty text."""
    order = JobOrder.from_json(payload["job"])
    endpoints = Endpoints.from_json(payload["endpoints"])
    try:
        endpoint = endpoints.open(order.definition.destination.url, order.transfer_id)
        try:
            endpoint.sweep(order.token, _temporaries(endpoint, order))
        finally:
            endpoint.close()
    except NotFound:
        # Without the folder there is nothing in it.
        return ""
    except TransferError as error:
        return str(error)
    return ""


def _temporaries(endpoint: Endpoint, order: JobOrder) -> tuple[str, ...]:
    """Return the names of the unfinished files: a bucket does not tell to whom an unfinished upload belongs (B15)."""
    found = []
    for name in order.unfinished:
        with contextlib.suppress(TransferError):
            found.append(endpoint.writer(name, token=order.token).temporary)
    return tuple(found)
