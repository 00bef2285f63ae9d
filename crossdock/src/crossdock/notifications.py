"""List and retry the notifications of jobs from the command line."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from crossdock.jobs import opened
from diplomat_svc.store.tables import NOTIFICATIONS
from mft_common import clock
from mft_common.notify import Notification

# The heads of the columns, in the order of the fields that `shown` returns.
COLUMNS: Final = ("ID", "KIND", "RECEIVER", "TITLE", "CREATED", "ATTEMPTS", "REASON")


def listing(data: Path, environ: Mapping[str, str], *, waiting: bool) -> list[Notification]:
    """Return the notifications that were given up, or with `waiting` those still tried; the oldest first."""
    with opened(data, environ) as access, access.database.read() as connection:
        return NOTIFICATIONS.listing(connection, given_up=not waiting)


def retry(data: Path, environ: Mapping[str, str], ids: Collection[str] | None) -> int:
    """Let the worker try notifications again that were given up, all or those with `ids`; return how many."""
    with opened(data, environ) as access, access.database.write() as connection:
        return NOTIFICATIONS.replay(connection, ids)


def shown(notification: Notification) -> dict[str, Any]:
    """Return what an operator sees of a notification: its receiver by name or address, and why it failed."""
    return {
        "id": notification.id,
        "kind": notification.kind,
        "receiver": notification.target,
        "title": notification.title,
        "created": clock.iso(notification.created_at),
        "attempts": notification.attempts,
        "reason": notification.reason,
    }
