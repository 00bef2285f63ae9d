"""Delete old rows of outbox and inbox in small batches, so that no other transaction waits long for one."""

import threading
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.database import Database
from mft_common.errors import Unavailable
from mft_common.events.inbox import Inbox
from mft_common.events.outbox import Outbox
from mft_common.process.background_tasks import BackgroundTask

_DAY_MS: Final = 86_400_000
# Outbox rows are kept for restored backups and for consumers that are added later; inbox rows outlive the outbox rows
# that they remember.
OUTBOX_KEPT_MS: Final = 30 * _DAY_MS
INBOX_KEPT_MS: Final = 45 * _DAY_MS
_BATCH: Final = 500
_EVERY_S: Final = 600.0
_BETWEEN_BATCHES_S: Final = 0.05

Condition = sa.ColumnElement[bool]


def prune_outbox(database: Database, outbox: Outbox, before: int, handled: Condition, *, batch: int = _BATCH) -> int:
    """Delete up to `batch` rows that are older than `before` (milliseconds) and `handled`, and return how many."""
    c = outbox.table.c
    old = sa.select(c.position).where(c.time < before, handled).order_by(c.position).limit(batch)
    with database.write() as connection:
        return connection.execute(sa.delete(outbox.table).where(c.position.in_(old))).rowcount


def prune_inbox(database: Database, inbox: Inbox, before: int, *, batch: int = _BATCH) -> int:
    """Delete up to `batch` rows of events that were handled before `before` (milliseconds), and return how many."""
    c = inbox.table.c
    old = sa.select(c.source, c.id).where(c.handled_at < before).order_by(c.handled_at).limit(batch)
    with database.write() as connection:
        return connection.execute(sa.delete(inbox.table).where(sa.tuple_(c.source, c.id).in_(old))).rowcount


def task(
    database: Database,
    outbox: Outbox,
    inbox: Inbox | None,
    handled: Callable[[], Condition],
    *,
    now: clock.Clock = clock.now_ms,
) -> BackgroundTask:
    """Return the task of a worker that prunes every ten minutes.

    `handled` is asked before each batch: the condition under which every consumer has handled a row of the outbox.
    """
    log = logs.get("events")
    name = f"{outbox.source}-prune"

    def once(stop: threading.Event) -> int:
        deleted = 0
        while not stop.wait(_BETWEEN_BATCHES_S):
            count = prune_outbox(database, outbox, now() - OUTBOX_KEPT_MS, handled())
            if inbox is not None:
                count += prune_inbox(database, inbox, now() - INBOX_KEPT_MS)
            deleted += count
            if not count:
                break
        return deleted

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                if deleted := once(stop):
                    log.info("events.pruned", task=name, rows=deleted)
            except Unavailable as error:
                log.warning("events.prune_failed", task=name, error=str(error))
            stop.wait(_EVERY_S)

    return BackgroundTask(name, run)
