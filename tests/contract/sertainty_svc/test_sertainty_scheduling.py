"""Timers of Time tasks on both kinds of database: each time once, none made up, none beside a run (85)."""

import threading

import pytest
import sqlalchemy as sa

from mft_common import clock
from sertainty_svc.domain.windows import Edge, Window
from sertainty_svc.operations.scheduling import timers_of
from sertainty_svc.store.tables import TIMERS, execution
from tests.contract.sertainty_svc.task_world import START, World, changed, timed, world

__all__ = ["world"]

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


def next_times(world):
    """Return the next times of all timers, as distances from the start."""
    with world.database.read() as connection:
        return [at - START for at in sorted(TIMERS.next_times(connection).values())]


def ran(world, at):
    """Return how many executions a time of so many milliseconds after the start brings; they end at once."""
    world.fire(at)
    found = len(world.waiting())
    world.end()
    return found


def test_85_an_interval_runs_on_the_grid_that_begins_when_its_task_becomes_runnable(world):
    """Item 85: first one interval later, whatever else is saved meanwhile."""
    world.save(timed(interval_s=600))
    assert [ran(world, at) for at in (599_999, 600_000, 600_500, 1_200_000)] == [0, 1, 0, 1]
    world.fire(1_500_000)
    world.save(timed(interval_s=600), changed(timed("b", interval_s=600)))
    assert next_times(world) == [1_800_000, 2_100_000]
    world.save(timed(interval_s=300), changed(timed("b", interval_s=600), description="other"))
    assert next_times(world) == [1_800_000, 2_100_000]
    assert world.waiting() == []
    world.fire(1_800_000)
    (one,) = world.waiting()
    assert (one.task, one.has_files, one.caused_by, world.files(one)) == ("hourly", False, None, [])


@pytest.mark.parametrize("how", ["pause", "disable", "shutdown", "deactivate"])
def test_85_times_that_pass_while_a_task_may_not_run_are_not_made_up_and_the_grid_begins_anew(world, how):
    """Items 70, 71, 82 and 85: the first run afterwards is one interval after the task became runnable again."""
    world.save(timed(interval_s=600))
    active = world.task("hourly").configuration_id
    world.now = START + 5 * SECOND
    if how == "pause":
        world.update("hourly", paused=True)
    else:
        world.alter(
            **{"disable": {"enabled": False}, "shutdown": {"running": False}, "deactivate": {"active": None}}[how]
        )
    assert next_times(world) == []
    assert ran(world, HOUR + 7) == 0
    if how == "pause":
        world.update("hourly", paused=False)
    else:
        world.alter(running=True, enabled=True, active=active)
    assert next_times(world) == [HOUR + 7 + 600_000]
    assert ran(world, HOUR + 7 + 600_000) == 1


def test_85_times_that_pass_while_no_worker_runs_are_not_made_up_and_the_grid_stays(world):
    """Item 85: a worker that is away for less than the life of a heartbeat is late for its last time."""
    world.save(timed(interval_s=600))
    assert ran(world, HOUR + 30 * SECOND) == 0
    assert next_times(world) == [HOUR + 600_000]
    assert ran(world, HOUR + 600_000 + 9 * SECOND) == 1


def test_72_a_restart_computes_the_schedule_anew(world):
    """Item 72: the intervals begin with the new start of the agent."""
    world.save(timed(interval_s=600))
    world.now = START + 5 * MINUTE
    world.alter(epoch=1)
    assert next_times(world) == [15 * MINUTE]


def test_85_a_slot_that_comes_while_the_former_run_lasts_is_skipped(world):
    """Items 80 and 85: runs of one task never overlap; the next slot after its end runs."""
    world.save(timed(interval_s=60), timed("other", interval_s=60))
    world.fire(MINUTE)
    assert len(world.waiting()) == 2
    with world.database.write() as connection:
        ended = sa.update(execution).where(execution.c.task == "other")
        connection.execute(ended.values(status="over"))
        connection.execute(sa.update(execution).where(execution.c.task == "hourly").values(status="running"))
    world.fire(2 * MINUTE)
    assert [one.number for one in world.waiting("hourly")] == [1]
    assert [one.number for one in world.waiting("other")] == [2]
    world.end()
    world.fire(3 * MINUTE)
    assert [one.number for one in world.waiting("hourly")] == [2]


def test_85_both_days_on_which_the_clock_changes_have_one_run_at_a_time_of_the_clock(world):
    """Item 85: 02:30 is skipped on one day, and runs at 03:00; it comes twice on the other, and runs the first time."""
    world.now = clock.parse_iso("2026-03-28T12:00Z")
    world.save(timed(at=("02:30",), zone="Europe/Amsterdam"))
    found = []
    for _ in range(4):
        found += next_times(world)
        assert ran(world, found[-1]) == 1
    spring = [clock.iso(START + at) for at in found]
    assert [text[:16] for text in spring] == [
        "2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30", "2026-04-01T00:30",
    ]  # fmt: skip
    world.now = clock.parse_iso("2026-10-24T12:00Z")
    world.save()
    world.save(timed(at=("02:30",), zone="Europe/Amsterdam"))
    autumn = []
    for _ in range(2):
        autumn += next_times(world)
        assert ran(world, autumn[-1]) == 1
        assert ran(world, autumn[-1] + HOUR) == 0
    assert [clock.iso(START + at)[:16] for at in autumn] == ["2026-10-25T00:30", "2026-10-26T01:30"]


def test_85_several_times_of_a_day_are_one_timer_in_the_zone_of_the_task(world):
    """Item 85: in whatever order they are given."""
    world.now = clock.parse_iso("2026-06-01T00:00Z")
    world.save(timed(at=("18:00", "06:15"), zone="Asia/Kolkata"))
    found = []
    for _ in range(3):
        found += next_times(world)
        assert ran(world, found[-1]) == 1
    assert [clock.iso(START + at)[:16] for at in found] == ["2026-06-01T00:45", "2026-06-01T12:30", "2026-06-02T00:45"]


def test_105_due_runs_outside_the_window_are_skipped(world):
    """Item 105: a daily span over midnight, on work days; the grid of the interval goes on below it."""
    world.now = clock.parse_iso("2026-06-05T20:00Z")
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
    night = Window(days=days, start=Edge(hour=22), end=Edge(hour=2))
    world.save(timed(interval_s=3600, window=night))
    found = []
    for _ in range(6):
        found += next_times(world)
        assert ran(world, found[-1]) == 1
    assert [clock.iso(START + at)[5:13] for at in found] == [
        "06-05T22", "06-05T23", "06-06T00", "06-06T01", "06-08T22", "06-08T23",
    ]  # fmt: skip


def test_105_a_time_of_the_day_outside_of_the_windows_span_has_no_timer(world):
    """Item 105: also where the task had one before, and without a search for a first run through all years."""
    world.save(timed(at=("12:00",)))
    assert len(next_times(world)) == 1
    world.save(timed(at=("12:00",), window=Window(start=Edge(hour=22), end=Edge(hour=2))))
    assert next_times(world) == []
    world.save(timed(at=("12:00", "23:30"), window=Window(start=Edge(hour=22), end=Edge(hour=2))))
    assert len(next_times(world)) == 1


def test_85_several_workers_begin_each_run_once(world, database_url, tmp_path):
    """Item 80: many due timers and three workers: one execution for each."""
    world.save(*(timed(f"t{number}", interval_s=60) for number in range(30)))
    others = [World(database_url, tmp_path, owner=f"w{number}") for number in range(3)]
    services = [timers_of(one.database, one.queueing, lambda: START + MINUTE) for one in others]
    threads = [threading.Thread(target=lambda one=one: [one.step() for _ in range(40)]) for one in services]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(one.task for one in world.waiting()) == sorted(f"t{number}" for number in range(30))
    for one in others:
        one.close()


def test_76_a_timer_goes_with_its_task(world):
    """Item 76: also where the task of that name becomes one of changes."""
    world.save(timed(interval_s=60), timed("b", interval_s=90))
    world.save(timed("b", interval_s=90))
    assert next_times(world) == [90 * SECOND]
    world.save()
    assert next_times(world) == []
    assert ran(world, DAY) == 0
