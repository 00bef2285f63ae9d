"""Delete old rows of outbox and inbox, a few at a time, so that nobody has to wait for it."""

import threading
from typing import Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.database import Database
from mft_common.errors import Unavailable
from mft_common.events.inbox import Inbox
from mft_common.events.outbox import Outbox
from mft_common.process.background_tasks import BackgroundTask

_DAY_MS: Final = 86_400_000
# The outbox is kept for consumers that come later and for replays; the inbox longer than anything can come again.
OUTBOX_KEPT_MS: Final = 30 * _DAY_MS
INBOX_KEPT_MS: Final = 45 * _DAY_MS
_BATCH: Final = 500
_EVERY_S: Final = 600.0
_BETWEEN_BATCHES_S: Final = 0.05


def prune_outbox(database: Database, outbox: Outbox, before: int, *, published_only: bool, batch: int = _BATCH) -> int:
    """Delete up to `batch` events older than `before` (milliseconds), and return how many.

    With `published_only`, what no broker has confirmed yet stays, however old.
    """
    c = outbox.table.c
    old = sa.select(c.position).where(c.time < before).order_by(c.position).limit(batch)
    if published_only:
        old = old.where(c.published)
    with database.write() as connection:
        return connection.execute(sa.delete(outbox.table).where(c.position.in_(old))).rowcount


def prune_inbox(database: Database, inbox: Inbox, before: int, *, batch: int = _BATCH) -> int:
    """Forget up to `batch` events handled before `before` (milliseconds), return how many."""
    c = inbox.table.c
    old = sa.select(c.source, c.id).where(c.handled_at < before).order_by(c.handled_at).limit(batch)
    with database.write() as connection:
        return connection.execute(sa.delete(inbox.table).where(sa.tuple_(c.source, c.id).in_(old))).rowcount


def part(
    name: str,
    database: Database,
    outbox: Outbox,
    inbox: Inbox | None,
    *,
    published_only: bool,
    now: clock.Clock = clock.now_ms,
) -> BackgroundTask:
    """Return the part of a worker that prunes every ten minutes."""
    log = logs.get("events")

    def once(stop: threading.Event) -> int:
        deleted = 0
        while not stop.wait(_BETWEEN_BATCHES_S):
            count = prune_outbox(database, outbox, now() - OUTBOX_KEPT_MS, published_only=published_only)
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
                    log.info("events.pruned", part=name, rows=deleted)
            except Unavailable as error:
                log.warning("events.prune_failed", part=name, error=str(error))
            stop.wait(_EVERY_S)

    return BackgroundTask(name, run)
