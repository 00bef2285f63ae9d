"""Measure what waits in a service's database, in the worker, at intervals: a scrape asks no database."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from prometheus_client import Gauge

from mft_common.clock import Clock, now_ms
from mft_common.database import Database
from mft_common.events import Bus
from mft_common.events.topology import CONSUMERS
from mft_common.process import metrics as _metrics  # noqa: F401 -- its files are installed before the first metric
from mft_common.process.background_tasks import BackgroundTask, periodic_task

EVERY_S: Final = 10.0


def gauge(name: str, text: str, *labels: str) -> Gauge:
    """Return a gauge that each worker of a service sets to the same value: the newest one counts."""
    return Gauge(name, text, labels, multiprocess_mode="mostrecent")


MEASURED: Final = gauge(
    "mft_state_measured_timestamp_seconds", "Time at which a worker last measured its service's state.", "service"
)
OUTBOX: Final = gauge("mft_outbox_events", "Committed events that are not delivered yet.", "service")
OUTBOX_AGE: Final = gauge("mft_outbox_oldest_seconds", "Age of the oldest event that is not delivered yet.", "service")
DEAD: Final = gauge("mft_dead_letters", "Events that the service could not handle and has given up.", "service")
WAITING: Final = gauge("mft_queue_waiting", "Pieces of work that wait, also for a later time.", "service", "kind")
RUNNING: Final = gauge("mft_queue_running", "Pieces of work that run.", "service", "kind")
OLDEST: Final = gauge(
    "mft_queue_oldest_seconds", "Time for which the oldest piece of work that is due waits.", "service", "kind"
)
DISK_FREE: Final = gauge("mft_disk_free_bytes", "Free bytes of the file system with the service's state.", "service")
DISK_SIZE: Final = gauge("mft_disk_size_bytes", "Size of the file system with the service's state.", "service")


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The rows of a table that are work to do: `status` is one of `waiting`, of `running`, or anything once it is over.

    An index leads to `unfinished`, so that no row of the history is read. A piece of work waits since `queued_at`, or
    since `due_at` where that is later; times are in milliseconds.
    """

    kind: str
    status: sa.ColumnElement[str]
    waiting: Sequence[str]
    running: Sequence[str]
    unfinished: sa.ColumnElement[bool]
    queued_at: sa.ColumnElement[int]
    due_at: sa.ColumnElement[int]

    def measure(self, connection: sa.Connection, service: str, now: int) -> None:
        """Set the queue's gauges."""
        since = sa.case((self.due_at > self.queued_at, self.due_at), else_=self.queued_at)
        waits, runs = self.status.in_(self.waiting), self.status.in_(self.running)
        query = sa.select(
            sa.func.coalesce(sa.func.sum(sa.case((waits, 1), else_=0)), 0),
            sa.func.coalesce(sa.func.sum(sa.case((runs, 1), else_=0)), 0),
            sa.func.min(sa.case((waits, since))),
        ).where(self.unfinished)
        waiting, running, oldest = connection.execute(query).one()
        WAITING.labels(service, self.kind).set(waiting)
        RUNNING.labels(service, self.kind).set(running)
        OLDEST.labels(service, self.kind).set(_age(oldest, now))


def queue_of(
    kind: str, status: sa.ColumnElement[str], *, queued_at: sa.ColumnElement[int], due_at: sa.ColumnElement[int]
) -> Queue:
    """Return the queue of rows that are `queued` while they wait and `running` while they run."""
    waiting, running = ("queued",), ("running",)
    return Queue(
        kind=kind, status=status, waiting=waiting, running=running, unfinished=status.in_((*waiting, *running)),
        queued_at=queued_at, due_at=due_at,
    )  # fmt: skip


Measure = Callable[[sa.Connection, int], None]


class StateMetrics:
    """Measures one service: its outbox, its dead letters, its `queues`, the disk of `folder`, and what `more` does."""

    def __init__(
        self,
        service: str,
        database: Database,
        bus: Bus,
        *,
        queues: Sequence[Queue] = (),
        folder: Path | None = None,
        more: Sequence[Measure] = (),
        now: Clock = now_ms,
    ) -> None:
        self._service = service
        self._database = database
        self._bus = bus
        self._queues = queues
        self._folder = folder
        self._more = more
        self._now = now

    def measure(self) -> None:
        """Set every gauge; Unavailable where database or broker are away, whose gauges keep their last values."""
        service, now = self._service, self._now()
        if self._folder is not None:
            # The folder may not be there yet: without a file of SQLite some services make it with their first work.
            found = os.statvfs(next(each for each in (self._folder, *self._folder.parents) if each.exists()))
            DISK_FREE.labels(service).set(found.f_bavail * found.f_frsize)
            DISK_SIZE.labels(service).set(found.f_blocks * found.f_frsize)
        backlog = self._bus.backlog(service, self._database)
        OUTBOX.labels(service).set(backlog.events)
        OUTBOX_AGE.labels(service).set(_age(backlog.oldest, now))
        with self._database.read() as connection:
            for queue in self._queues:
                queue.measure(connection, service, now)
            for measure in self._more:
                measure(connection, now)
        # A worker lives also while the broker, which is asked last, is away.
        MEASURED.labels(service).set(time.time())
        if service in CONSUMERS:
            DEAD.labels(service).set(self._bus.count_dead_letters(service))

    def task(self) -> BackgroundTask:
        """Return the task that measures at once, and then every ten seconds."""
        return periodic_task(f"{self._service}-metrics", self.measure, every=EVERY_S)


def set_by_label(gauge: Gauge, values: Mapping[str, float], known: Sequence[str]) -> None:
    """Set a gauge with one label for each of `known`: to 0 where `values` lacks it."""
    for label in known:
        gauge.labels(label).set(values.get(label, 0))


def _age(since: Any, now: int) -> float:
    return 0.0 if since is None else max(0, now - int(since)) / 1000
