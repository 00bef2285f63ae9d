"""Watch the source folders of Change tasks, and queue an execution for each batch of files that have settled (84)."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.names import Patterns
from mft_common.watching import Found, Later, Listing, Watch, Watcher
from sertainty_svc.domain.places import FILESTORE, place_of, source_of
from sertainty_svc.domain.schedules import is_open
from sertainty_svc.domain.selection import selection
from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.operations import agenda
from sertainty_svc.operations.context import Context
from sertainty_svc.operations.queueing import Queueing
from sertainty_svc.operations.source_listing import Roots, listing_of
from sertainty_svc.store import turns
from sertainty_svc.store.tables import DELIVERIES, LEASES, WATCHES

_NAME: Final = "tasks"
# A settled file is to be worked on within a second: half of it is for the look that sees its last change. A folder of
# the filestore wakes its scan by an event, and each look there is a request.
_LOCAL_INTERVAL_S: Final = 0.5
_FILESTORE_INTERVAL_S: Final = 5.0
_BATCH: Final = 1000
# The end of an execution wakes the folder; this is for one whose wake-up was lost.
_BUSY_PAUSE_S: Final = 5.0
# `selection` decides about unfinished files.
_NO_PATTERNS: Final = Patterns(())


@dataclass(frozen=True)
class _Watched:
    """A Change task whose `folder` is watched; `turn` is its locked row in the transaction under way."""

    task: StoredTask
    folder: str
    queueing: Queueing
    now: Callable[[], int]

    def watch(self) -> Watch:
        """Return the watch of the task, whose folder all tasks of it share."""
        definition, turn = self.task.definition, _Turn(self.task.id, self.now)
        takes = selection(definition)

        def handle(connection: sa.Connection, files: Sequence[Found]) -> None:
            turn.require_time()
            places = [(place_of(self.folder, one.path), one.size) for one in files]
            caused_by = DELIVERIES.find_first(connection, places)
            self.queueing.queue(connection, turn.task, files=files, caused_by=caused_by)

        def failed(connection: sa.Connection, error: Exception) -> None:
            if is_open(definition.schedule, self.now()):
                self.queueing.fail(connection, turn.task, str(error) or repr(error))

        return Watch(
            key=self.task.watch,
            name=f"{self.task.configuration}/{self.task.name}",
            folder=self.folder,
            handle=handle,
            wanted=lambda found: takes(found.path),
            temporary=_NO_PATTERNS,
            depth=None if definition.filter.recurse else 0,
            settle=definition.settle_s,
            interval=_FILESTORE_INTERVAL_S if self.folder.startswith(FILESTORE) else _LOCAL_INTERVAL_S,
            batch=_BATCH,
            is_open=lambda: is_open(definition.schedule, self.now()),
            failed=failed,
            lock=turn.lock,
        )


class _Turn:
    """The locked row of a task, in the transaction that hands its files over."""

    def __init__(self, task_id: int, now: Callable[[], int]) -> None:
        self._id = task_id
        self._now = now
        self._task: StoredTask | None = None

    @property
    def task(self) -> StoredTask:
        """The task, after `lock`."""
        assert self._task is not None
        return self._task

    def lock(self, connection: sa.Connection) -> None:
        """Lock the task; Later where it may begin no execution now, because one is under way or it may not run."""
        self._task = turns.lock(connection, self._id)
        if reason := turns.refusal(connection, self._task):
            raise Later(reason, pause=_BUSY_PAUSE_S)

    def require_time(self) -> None:
        """Raise Later while the task waits after a fault of its own (86); scans that fail have their own pauses."""
        if pause := self.task.pause_ms(self._now()):
            raise Later("the task waits after a fault of its own", pause=pause / 1000)


def watcher_of(context: Context, queueing: Queueing, filestore: Filestore | None, **options: Any) -> Watcher:
    """Return the watcher of all Change tasks that may run; `options` are those of Watcher."""
    data = Path(context.settings.data).absolute()

    def definitions(connection: sa.Connection) -> Iterable[Watch]:
        tasks = agenda.watched(connection)
        return [_Watched(one, source_of(one.definition), queueing, context.now).watch() for one in tasks]

    def read_roots() -> Sequence[Path]:
        with context.database.read() as connection:
            return context.section(connection).folders

    roots = Roots(read_roots)

    def listing(folder: str) -> Listing:
        return listing_of(folder, roots, data, filestore)

    given = {"owner": secrets.token_hex(16), **options}
    return Watcher(_NAME, context.database, WATCHES, LEASES, definitions=definitions, listing=listing, **given)
