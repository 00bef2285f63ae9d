"""Schedules: the next time of a cron expression, an interval or a daily time, and timers that survive crashes."""

from mft_common.schedules.cron import Cron
from mft_common.schedules.firing import TimerService, timers_task
from mft_common.schedules.misfires import Firing, Misfire
from mft_common.schedules.repeating import Daily, Interval
from mft_common.schedules.section import Schedule, describe, read_schedule
from mft_common.schedules.timer_table import create_table, drop_table
from mft_common.schedules.timers import Timers
from mft_common.schedules.windows import Bound, Window
from mft_common.schedules.zones import time_zone

__all__ = [
    "Bound",
    "Cron",
    "Daily",
    "Firing",
    "Interval",
    "Misfire",
    "Schedule",
    "TimerService",
    "Timers",
    "Window",
    "create_table",
    "describe",
    "drop_table",
    "read_schedule",
    "time_zone",
    "timers_task",
]
