"""Say what the watcher of folders has to look at for each monitor (4.H)."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from mft_common.applied_configuration import ConfigurationFollower
from mft_common.database import Database
from mft_common.dispatch import Runner
from mft_common.endpoints.names import Patterns
from mft_common.watching import TEMPORARY, Found, Listing, Watch, Watcher
from mqmft_svc.domain.monitors import QUEUE, Match, Monitor
from mqmft_svc.domain.queues import queue_of
from mqmft_svc.operations.managed.paths import joined
from mqmft_svc.operations.monitoring.children import SILENCE_S
from mqmft_svc.operations.monitoring.listing import ChildListing
from mqmft_svc.operations.monitoring.place import Place
from mqmft_svc.operations.monitoring.queue_listing import QueueListing
from mqmft_svc.operations.monitoring.triggering import Triggering, batch_of
from mqmft_svc.schemas.config import Section
from mqmft_svc.schemas.monitor_bodies import monitor_of
from mqmft_svc.store import agents
from mqmft_svc.store import monitors as store
from mqmft_svc.store.tables import LEASES, WATCHES

_NAME: Final = "monitors"
# A file that is changed in place leaves no mark on its folder; a folder is listed this often all the same.
_RELIST_S: Final = 3.0
# For a monitor of the very names that unfinished files of other programs have.
_NO_PATTERNS: Final = Patterns(())


def watcher_of(
    database: Database,
    configuration: ConfigurationFollower[Section],
    runner: Runner,
    triggering: Triggering,
    *,
    silence: float = SILENCE_S,
    **options: object,
) -> Watcher:
    """Return the watcher of all monitors; `options` are those of Watcher."""

    def definitions(connection: sa.Connection) -> Iterable[Watch]:
        stopped = agents.stopped(connection)
        monitors = (one for one in store.fetch(connection, monitor_of) if one.agent not in stopped)
        return [watch_of(monitor, triggering) for monitor in monitors]

    def listing(folder: str) -> Listing:
        place = Place.from_text(folder)
        kind = QueueListing if place.type == QUEUE else ChildListing
        return kind(place, database, configuration, runner, silence=silence)

    given = {"owner": secrets.token_hex(16), **options}
    return Watcher(_NAME, database, WATCHES, LEASES, definitions=definitions, listing=listing, **given)  # type: ignore[arg-type]


def watch_of(monitor: Monitor, triggering: Triggering) -> Watch:
    """Return the watch of a monitor; each has scans of its own, because it counts its own polls."""
    condition = monitor.condition

    def handle(connection: sa.Connection, files: Sequence[Found]) -> None:
        if monitor.type == QUEUE:
            triggering.begin(connection, monitor, (), queue_of(monitor.resource))
        else:
            triggering.begin(connection, monitor, [_match(monitor, one) for one in files])

    def wanted(found: Found) -> bool:
        return condition.size == 0 or (found.size is not None and found.size >= condition.size)

    return Watch(
        key=monitor.key,
        name=f"{monitor.name} of {monitor.agent}",
        folder=Place.of(monitor).to_text(),
        handle=handle,
        depth=monitor.depth,
        # Looks that come early, such as the first one by a changed definition, are no polls.
        settle=float(condition.polls * monitor.interval_s),
        # A file is seen once before it can have kept its size for a poll.
        looks=condition.polls + 1,
        interval=float(monitor.interval_s),
        relist=max(_RELIST_S, float(monitor.interval_s)),
        batch=batch_of(monitor),
        temporary=_NO_PATTERNS if condition.include.endswith("part") else TEMPORARY,
        vacancy=condition.type == "matchNone",
        wanted=wanted,
    )


def _match(monitor: Monitor, found: Found) -> Match:
    folder = monitor.resource.rstrip("/")
    path = joined(folder, found.path) if folder else f"{monitor.resource[:1]}{found.path}"
    return Match(path=path, size=found.size, modified_at=found.modified_at)
