"""The functions that a worker runs in its children: a job, and the removal of a job's temporary files."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from diplomat_svc.operations.job_order import JobOrder
from diplomat_svc.operations.job_reports import JobReports
from diplomat_svc.operations.name_pages import ask_all
from diplomat_svc.operations.running import Run
from diplomat_svc.operations.unrecorded import findings
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


def sweep(channel: Channel, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the temporary files of a job at its destination and in its archives; the worker knows names of them.

    Deletions of its sources that were cut off are ended first: a newer file that was moved aside gets its name back.
    Return the `problem` that prevented it, or "", and the `findings` about its `unrecorded` files: pairs of names at
    the source and at the destination.
    """
    order = JobOrder.from_json(payload["job"])
    endpoints = Endpoints.from_json(payload["endpoints"])
    problems, temporaries = [_end_deletions(endpoints, order)], ask_all(channel)
    problems += [_sweep(endpoints, url, order, temporaries) for url in order.definition.written_urls]
    problem = next(filter(None, problems), "")
    return {"problem": problem, "findings": _findings(endpoints, order, payload.get("unrecorded", ()))}


def _end_deletions(endpoints: Endpoints, order: JobOrder) -> str:
    if not order.definition.delete_source:
        return ""
    try:
        endpoints.end_deletions(order.definition.source.url, order.token)
    except NotFound:
        return ""
    except TransferError as error:
        return str(error)
    return ""


def _sweep(endpoints: Endpoints, url: str, order: JobOrder, temporaries: tuple[str, ...]) -> str:
    try:
        with closing(endpoints.open(url, order.transfer_id)) as endpoint:
            endpoint.sweep(order.token, temporaries)
    except NotFound:
        # Without the folder there is nothing in it.
        return ""
    except TransferError as error:
        return str(error)
    return ""


def _findings(endpoints: Endpoints, order: JobOrder, names: Sequence[Sequence[str]]) -> list[str]:
    if not names:
        return []
    sides = [order.definition.source.url, order.definition.destination.url]
    try:
        with (
            closing(endpoints.open(sides[0], order.transfer_id)) as source,
            closing(endpoints.open(sides[1], order.transfer_id)) as target,
        ):
            return list(findings(source, target, [(name, delivered) for name, delivered in names]))
    except TransferError as error:
        return [f"The files at the destination could not be compared with their sources: {error}."]
