"""Transactions that change rows of several tasks or folders at once: no two of them wait for each other."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from mft_common.events import Envelope, FileStored, RetryPolicy
from mft_common.events.delivery import Delivery
from mft_common.identity import Identity
from mft_common.watching.memory import digest
from sertainty_svc import SERVICE
from sertainty_svc.events import handlers
from sertainty_svc.operations import agenda
from sertainty_svc.operations.calls import Call
from sertainty_svc.store import failed_files, tasks
from sertainty_svc.store.tables import INBOX, WATCHES, agent
from tests.contract.sertainty_svc.task_world import START, change, changed, world
from tests.servers.databases import waits_for_a_lock
from tests.servers.processes import wait_until

__all__ = ["world"]


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


def stored(path, name):
    """Return the event of a file of the filestore."""
    event = FileStored(
        account="system", address="", path=path, fileset=1, size=3, sha256="0" * 64, datatype="binary",
        transfer_id="41" * 24,
    )  # fmt: skip
    return Envelope(id=name, source="filestore-svc", type=FileStored.TYPE, subject=path, time=START, data=event)


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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_112_batches_of_stored_files_wake_the_same_folders_in_one_order(world):
    """Item 112: two workers take events of the same folders in different orders, and both end."""
    world.save(change("x", source="filestore:/x"), change("y", source="filestore:/y"))
    low, high = sorted(("filestore:/x", "filestore:/y"), key=digest)
    with world.database.write() as connection:
        WATCHES.wake(connection, low, high)
    events = [stored(f"{folder.removeprefix('filestore:')}/a", name=folder) for folder in (high, low)]
    delivery = Delivery(SERVICE, world.database, INBOX, handlers(world.arrivals), retries=RetryPolicy())
    with ThreadPoolExecutor(1) as pool:
        with world.database.write() as connection:
            WATCHES.wake(connection, low)
            taking = pool.submit(delivery.apply, events)
            wait_until(lambda: waits_for_a_lock(world.database), what="the batch to wait for a folder")
            WATCHES.wake(connection, high)
        assert taking.result(30)
