"""The functions that a worker runs in its children: a managed transfer, and the removal of what it may have left."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mft_common.endpoints.errors import Interrupted, NotFound, TransferError
from mft_common.process.runner import Channel, CommitRefused, HeldInterrupt
from mqmft_svc.operations.managed.order import DESTINATION, SOURCE, Order, url_of
from mqmft_svc.operations.managed.problems import Away
from mqmft_svc.operations.managed.reports import HELD, Reports
from mqmft_svc.operations.managed.run import Run
from mqmft_svc.operations.managed.trying import Trying

RUN: Final = f"{__name__}:run"
SWEEP: Final = f"{__name__}:sweep"


def run(channel: Channel, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Run a managed transfer.

    Return why it has to go on later (`recover`, "" where it has not), whether it was `stopped` or is no longer the
    worker's, and whether unfinished files or sources that were moved aside may be `left`.
    """
    order = Order.from_json(payload)
    trying = Trying(HeldInterrupt(channel, HELD, payload["confirm_s"]), order.retry_count, recover=order.recover)
    attempt = Run(order, Reports(channel), trying)
    try:
        attempt.run()
    except (Interrupted, CommitRefused):
        return {"recover": "", "stopped": True, "left": True}
    except Away as error:
        return {"recover": str(error), "stopped": False, "left": True}
    return {"recover": "", "stopped": False, "left": attempt.left}


def sweep(_channel: Channel, payload: Mapping[str, Any]) -> dict[str, str]:
    """Remove the unfinished files of a transfer at its destination, `temporaries` among them.

    Without `has_files` the destinations are queues alone; each of the `groups`, a queue and an id, is marked as
    incomplete there. Deletions in the `folders` of its sources that were cut off are ended first: a newer file that was
    moved aside gets its name back.
    Return the `problem` that prevented it, or "".
    """
    order = Order.from_json({"items": (), "files": None, "retry_count": 0, "recover": False, **payload})
    problems = [_end_deletions(order, payload["folders"])]
    if payload["has_files"]:
        problems.append(_sweep(order, tuple(payload["temporaries"])))
    problems += [_mark(order, queue, group) for queue, group in payload["groups"]]
    return {"problem": next(filter(None, problems), "")}


def _mark(order: Order, queue: str, group: str) -> str:
    # Imported here because queues alone need pika.
    from mqmft_svc.operations.managed.queues.incomplete import mark_incomplete
    from mqmft_svc.operations.managed.queues.settings import settings_of

    if not order.brokers[DESTINATION].url:
        return "its agent has no message broker any more"
    try:
        mark_incomplete(settings_of(order, DESTINATION, queue), group)
    except NotFound:
        # Without the queue nobody waits for the rest of the group.
        return ""
    except TransferError as error:
        return str(error)
    return ""


def _end_deletions(order: Order, folders: Iterable[str]) -> str:
    problem = ""
    for folder in folders:
        try:
            endpoints, _ = order.root(SOURCE)
            endpoints.end_deletions(url_of(SOURCE, folder), order.token)
        except NotFound:
            continue
        except TransferError as error:
            problem = problem or str(error)
    return problem


def _sweep(order: Order, temporaries: tuple[str, ...]) -> str:
    try:
        endpoints, _ = order.root(DESTINATION)
        with endpoints.open(url_of(DESTINATION), order.transfer_id) as endpoint:
            endpoint.sweep(order.token, temporaries)
    except NotFound:
        # Without the folder there is nothing in it.
        return ""
    except TransferError as error:
        return str(error)
    return ""
