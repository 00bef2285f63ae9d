"""The functions that a worker runs in its children: a job, and the removal of a job's temporary files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from diplomat_svc.operations.job_order import JobOrder
from diplomat_svc.operations.job_reports import JobReports
from diplomat_svc.operations.running import Run
from mft_common.endpoints.errors import NotFound, TransferError
from mft_common.endpoints.registry import Endpoints
from mft_common.process.runner import Channel
from mft_common.transfer.steps.openpgp import Key

RUN: Final = f"{__name__}:run"
SWEEP: Final = f"{__name__}:sweep"


def run(channel: Channel, payload: Mapping[str, Any]) -> dict[str, str | bool | None]:
    """Run a job; return its completion status, the reason, and whether temporary files may be left.

    The status is None where the job was stopped, or is no longer the worker's.
    """
    order = JobOrder.from_json(payload["job"])
    endpoints = Endpoints.from_json(payload["endpoints"])
    keys, private = [Key.from_json(key) for key in payload["keys"]], Path(payload["private"])
    attempt = Run(JobReports(channel, order), endpoints, channel.interrupt, keys=keys, private=private)
    completion, reason = attempt.run()
    return {"completion": completion, "reason": reason, "left": attempt.left}


def sweep(_channel: Channel, payload: Mapping[str, Any]) -> str:
    """Remove the temporary files of a job at its destination and in its archives, `temporaries` among them.

    Returns why it could not be done, or nothing.
    """
    order = JobOrder.from_json(payload["job"])
    endpoints = Endpoints.from_json(payload["endpoints"])
    problems = [_sweep(endpoints, url, order, tuple(payload["temporaries"])) for url in order.definition.written_urls]
    return next(filter(None, problems), "")


def _sweep(endpoints: Endpoints, url: str, order: JobOrder, temporaries: tuple[str, ...]) -> str:
    try:
        endpoint = endpoints.open(url, order.transfer_id)
        try:
            endpoint.sweep(order.token, temporaries)
        finally:
            endpoint.close()
    except NotFound:
        # Without the folder there is nothing in it.
        return ""
    except TransferError as error:
        return str(error)
    return ""
