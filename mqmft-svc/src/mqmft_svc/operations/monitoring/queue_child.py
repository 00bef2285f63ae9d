"""The function that a worker runs in its children: look whether a queue meets the condition of a monitor (187)."""

import threading
from collections.abc import Mapping
from typing import Any, Final

from mft_common.endpoints.errors import TransferError, reason_of
from mft_common.process.runner import Channel
from mft_common.queues.connection import QueueConnection
from mft_common.queues.settings import QueueSettings
from mqmft_svc.operations.managed.queues.groups import Group, note

# A group that is complete only behind so many messages is not found.
_MOST_MESSAGES: Final = 10_000
_HEARTBEAT_S: Final = 10
_CONNECT_S: Final = 10.0


def look(_channel: Channel, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many messages can be taken, and whether the condition is met; of a broker that is away the `problem`.

    Messages are taken for a look at their groups alone, where their number is not `known` already; all go back.
    """
    settings = QueueSettings(
        url=payload["url"],
        queue=payload["queue"],
        broker=f"the message broker of the agent {payload['agent']}",
        heartbeat=_HEARTBEAT_S,
        connect_timeout=min(_CONNECT_S, payload["patience_s"]),
        confirm_timeout=payload["patience_s"],
    )
    try:
        connection = QueueConnection(settings, "reading", threading.Event())
        with connection:
            count = connection.count()
            if not payload["groups"] or not count or count == payload["known"]:
                met = count > 0 and not payload["groups"]
            else:
                met = _has_complete_group(connection, count)
    except TransferError as error:
        return {"problem": reason_of(error)}
    return {"problem": "", "count": count, "met": met}


def _has_complete_group(connection: QueueConnection, count: int) -> bool:
    """Return whether all messages of any group are there; what was taken goes back as the connection is closed."""
    groups: dict[str, Group] = {}
    left = min(count, _MOST_MESSAGES)
    while left > 0:
        came = 0
        for message in connection.take(left):
            came += 1
            note(groups, message)
        if not came:
            break
        left -= came
    return any(group.is_complete for group in groups.values())
