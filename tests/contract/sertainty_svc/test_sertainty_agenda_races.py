"""Calls, watches, timers and ends of executions at the same time: none waits for another for ever."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from mft_common.watching.memory import digest
from sertainty_svc.operations import agenda
from sertainty_svc.store import tasks, turns
from sertainty_svc.store.tables import execution, task_failure
from tests.contract.sertainty_svc.task_world import World, change, changed, timed

ROUNDS = 25


@pytest.fixture
def worlds(database_url, tmp_path):
    """Four processes of one hub: two that answer calls, and two workers."""
    made = [World(database_url, tmp_path, owner=f"w{number}") for number in range(4)]
    yield made
    for one in made:
        one.close()


DEFINITIONS = [change(f"c{number}", settle_s=0) for number in range(4)]
TIMES = [timed(f"t{number}", interval_s=1) for number in range(4)]


def pause(world, number):
    """Pause or resume a task of each kind, and save all tasks with a change."""
    world.update(f"c{number % 4}", paused=number % 2 == 0)
    world.update(f"t{number % 4}", paused=number % 2 == 0)
    world.save(*(changed(one, retries=number % 5) for one in DEFINITIONS), *TIMES)


def reset(world, number):
    """Reset a task with a failed file."""
    with world.database.write() as connection:
        one = turns.lock(connection, world.task(f"c{number % 4}").id)
        connection.execute(sa.insert(task_failure).values(task=one.id, name=digest(f"f{number}")))
        tasks.update(connection, one.id, exec_count=0)
        agenda.sync(connection, world.now, reset=[one])
        agenda.wake(connection, one.definition)


def look(world, number):
    """Let a file come, and the watcher look."""
    world.write(f"f{number}", b"x" * number)
    world.run(1, every=0.25)


def fire(world, number):
    """Let times come due, and end what is queued."""
    world.fire(number * 1000)
    for one in world.waiting():
        with world.database.write() as connection:
            turns.lock(connection, one.task_id)
            connection.execute(sa.update(execution).where(execution.c.id == one.id).values(status="over"))
            agenda.wake(connection, one.definition)


def test_80_82_83_calls_and_workers_take_their_locks_in_one_order(worlds):
    """Items 80, 82 and 83: pauses, resets, saves, hand-overs, due times and ends, each in a process of its own."""
    worlds[0].save(*DEFINITIONS, *TIMES)

    def repeat(work, world):
        for number in range(1, ROUNDS):
            work(world, number)

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(repeat, *one) for one in zip((pause, reset, look, fire), worlds, strict=True)]:
            future.result(60)
