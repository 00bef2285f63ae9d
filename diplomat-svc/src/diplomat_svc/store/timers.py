"""Store when schedules start jobs and when delayed jobs are queued, as timers that fire once in one of the workers."""

from collections.abc import Collection
from typing import Final

import sqlalchemy as sa

from diplomat_svc.domain.transactions import CronSchedule, Transaction
from diplomat_svc.store.tables import TIMERS
from mft_common.schedules import Cron, Misfire, time_zone

TRANSACTION: Final = "transaction/"
DELAYED: Final = "delayed/"


def apply(connection: sa.Connection, scheduled: dict[int, Transaction], now: int) -> None:
    """Bring the timers of schedules to those of the transactions, by id; one that stays the same keeps its time.

    The caller holds the change clock, as whoever fires timers does, so that neither waits for the other in a circle.
    """
    for number, definition in scheduled.items():
        assert isinstance(definition.schedule, CronSchedule)
        cron = Cron(definition.schedule.cron, time_zone(definition.schedule.time_zone))
        TIMERS.set(connection, f"{TRANSACTION}{number}", cron, now, misfire=_misfire(definition))
    TIMERS.keep_only(connection, TRANSACTION, [f"{TRANSACTION}{number}" for number in scheduled])


def _misfire(definition: Transaction) -> Misfire:
    """Return the rule for times that passed while nothing ran (E17)."""
    assert isinstance(definition.schedule, CronSchedule)
    if definition.schedule.catch_up:
        return "once"
    return "record" if definition.fail_if_not_found else "skip"


def next_times(connection: sa.Connection, numbers: Collection[int]) -> dict[int, int]:
    """Return when the schedules of transactions start their next jobs, by id; those without a schedule are absent."""
    found = TIMERS.times_of(connection, [f"{TRANSACTION}{number}" for number in numbers])
    return {int(key.removeprefix(TRANSACTION)): at for key, at in found.items()}


def delay(connection: sa.Connection, sequence: int, at: int, now: int) -> None:
    """Queue a delayed job at a time in milliseconds."""
    TIMERS.set_once(connection, f"{DELAYED}{sequence}", at, now)
