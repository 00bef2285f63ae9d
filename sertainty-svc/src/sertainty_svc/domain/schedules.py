"""Turn the schedule of a Time task into its times (10.5, 85)."""

from datetime import time

from mft_common.schedules import Daily, Interval, time_zone
from sertainty_svc.domain.tasks import TaskSchedule


def times_of(schedule: TaskSchedule, since: int) -> Interval | Daily | None:
    """Return the times of a Time task that became runnable at `since` (milliseconds), none outside its window.

    An interval runs on the grid that begins with `since`, a time of the day at that local time of its zone. None where
    no time of the day lies in the span of the window: to search for the first run would take long.
    """
    zone = time_zone(schedule.zone)
    hours = None if schedule.window is None else schedule.window.restriction
    if schedule.interval_s is not None:
        return Interval(schedule.interval_s, "seconds", since, zone, hours)
    times = sorted({time.fromisoformat(one) for one in schedule.at})
    if hours is not None and schedule.window is not None:
        times = [one for one in times if schedule.window.spans(one)]
    return Daily(tuple(times), zone, hours) if times else None


def is_open(schedule: TaskSchedule, at: int) -> bool:
    """Return whether the window of a task is open at `at` (milliseconds); a task without one always is."""
    return schedule.window is None or schedule.window.is_open(at, schedule.zone)
