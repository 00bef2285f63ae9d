"""Calls that change several tasks, while a worker ends an execution of one of them: neither waits for the other."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from mft_common.identity import Identity
from mft_common.watching.memory import digest
from sertainty_svc.operations import agenda
from sertainty_svc.operations.calls import Call
from sertainty_svc.store import failed_files, tasks
from sertainty_svc.store.tables import WATCHES, agent
from tests.contract.sertainty_svc.task_world import START, World, change, changed
from tests.servers.databases import waits_for_a_lock
from tests.servers.processes import wait_until


@pytest.fixture
def world(database_url, tmp_path):
    """A hub without tasks."""
    made = World(database_url, tmp_path)
    yield made
    made.close()


def reset(world):
    """Reset the task `a`, which has a failed file, while `b` has run again after a fault of its own."""
    world.save(change("a"), change("b", source="other"))
    one = world.task("a")
    with world.database.write() as connection:
        WATCHES.mark(connection, one.watch, {digest("bad"): digest("1")}, 1)
        failed_files.add(connection, one.id, ["bad"])
        tasks.update(connection, world.task("b").id, faults=1, retry_at=START - 1)
    arguments = {"config-name": ["night"], "task-name": ["a"]}
    call = Call(identity=Identity(request_id="r1", address="10.0.0.9"), caller=None, arguments=arguments)
    return lambda: world.service.operations.functions["taskReset"](call)


def activate(world):
    """Activate a configuration whose task `b` was saved with a change since it was active, and had faults before."""
    world.save(change("b"))
    with world.database.read() as connection:
        night = tasks.by_id(connection, world.task("b").id).configuration_id
    world.alter(active=None)
    world.save(changed(change("b"), retries=9), active=False)
    world.update("b", faults=1)
    return lambda: world.alter(active=night)


def save_an_id(world):
    """Save an ID for which `a` and `b` wait, which have one source."""
    world.save(change("a"), change("b"))
    with world.database.write() as connection:
        for name in "ab":
            tasks.update(connection, world.task(name).id, faults=1, retry_at=START - 1)

    def save():
        with world.database.write() as connection:
            connection.execute(sa.select(agent.c.id).with_for_update())
            agenda.retry_faults(connection)

    return save


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("prepare", [reset, activate, save_an_id])
def test_30_83_86_a_change_of_tasks_holds_nothing_that_the_end_of_an_execution_waits_for(world, prepare):
    """Items 30, 83 and 86: rows of tasks are locked first, and requests to scan are written last."""
    call = prepare(world)
    ended = world.task("b")
    with ThreadPoolExecutor(1) as pool:
        with world.database.write() as connection:
            tasks.lock(connection, ended.id)
            changing = pool.submit(call)
            wait_until(lambda: waits_for_a_lock(world.database), what="the call to wait for the task")
            failed_files.hand_back(connection, ended.watch, ["x"])
            agenda.wake(connection, ended.definition)
        changing.result(30)
