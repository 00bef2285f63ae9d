"""The functions that a worker runs in its children: an execution, and the removal of what one may have left."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final

from mft_common.endpoints.errors import NotFound, TransferError
from mft_common.process.runner import Channel, HeldInterrupt
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.domain.tasks import Action
from sertainty_svc.operations.running.faults import TaskFault, sentence_of
from sertainty_svc.operations.running.folders import open_folder
from sertainty_svc.operations.running.messages import HELD
from sertainty_svc.operations.running.order import Order
from sertainty_svc.operations.running.reports import Reports
from sertainty_svc.operations.running.run import Run
from sertainty_svc.operations.running.script_run import ScriptRun
from sertainty_svc.operations.running.work_folder import remove_left

RUN: Final = f"{__name__}:run"
SWEEP: Final = f"{__name__}:sweep"


def run(channel: Channel, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out an execution, whose Order the payload is; return its Result."""
    order = Order.from_json(payload)
    stop = HeldInterrupt(channel, HELD, order.confirm_s)
    attempt = ScriptRun if order.definition.action is Action.SCRIPT else Run
    return asdict(attempt(order, Reports(channel), stop).run())


def sweep(_channel: Channel, payload: Mapping[str, Any]) -> dict[str, str]:
    """Remove what an execution may have left; return the `problem` that prevented it, or "".

    The payload is the execution's Order with `files`, those that may have left something, as JSON. Where a newer file
    was moved aside while a source was deleted, it gets its name back.
    """
    order = Order.from_json({name: value for name, value in payload.items() if name != "files"})
    remove_left(order)
    files = [ExecutionFile.from_json(one) for one in payload["files"]]
    folders = order.definition.folders
    temporaries = tuple(file.temporary for file in files if file.temporary)
    below = sorted({file.path.rpartition("/")[0] for file in files})
    problems = [_end_deletions(order, f"{folders.source}/{folder}" if folder else folders.source) for folder in below]
    if temporaries:
        written = [text for text in (folders.destination, folders.failed, folders.archive) if text]
        problems += [_remove(order, text, temporaries) for text in written]
    return {"problem": next(filter(None, problems), "")}


def _end_deletions(order: Order, text: str) -> str:
    try:
        with ExitStack() as stack:
            open_folder(order, text, stack).endpoint.end_deletions(order.token)
    except TaskFault as fault:
        # In a folder that is gone there is nothing.
        return "" if isinstance(fault.__cause__, NotFound) else str(fault)
    except TransferError as error:
        return sentence_of(error)
    return ""


def _remove(order: Order, text: str, temporaries: tuple[str, ...]) -> str:
    try:
        with ExitStack() as stack:
            open_folder(order, text, stack).endpoint.sweep(order.token, temporaries)
    except TaskFault as fault:
        # In a folder that is gone there is nothing.
        return "" if isinstance(fault.__cause__, NotFound) else str(fault)
    except TransferError as error:
        return sentence_of(error)
    return ""
