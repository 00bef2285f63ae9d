"""Calls that meet: several replicas of the web process over one database, on both kinds of database (item 30)."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
import sqlalchemy as sa

from sertainty_svc.store import configurations, tasks
from sertainty_svc.store.tables import OUTBOX, execution
from sertainty_svc.store.tables import agent as agent_table
from sertainty_svc.store.tables import task as task_table
from tests.servers.task_documents import document, task
from tests.servers.task_rows import add_execution
from tests.service.sertainty_svc.protector import Hub

CONFIG = {"data_protector": {"folders": ["demo/protect"]}}


@pytest.fixture
def hubs(database_url, tmp_path):
    """Two replicas over one database."""
    with ExitStack() as stack:
        made = [Hub(tmp_path, CONFIG, SERTAINTY_DATABASE_URL=database_url) for _ in range(2)]
        for hub in made:
            stack.enter_context(closing(hub.service))
        yield made


def at_once(*calls):
    """Make calls at the same time, each in a thread of its own, and return what they return."""
    ready = threading.Barrier(len(calls))

    def run(call):
        ready.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def caller(hub, function, *arguments):
    """Return a call that returns its status."""
    session = hub.login()
    return lambda: hub.call(function, *arguments, session=session).status


def statuses(hubs, *calls, times=1):
    """Make these calls at the same time, each on every replica so many times, and count the statuses."""
    made = [caller(hub, *call) for call in calls for hub in hubs for _ in range(times)]
    return Counter(at_once(*made))


def test_30_one_of_eight_simultaneous_config_create_of_one_name_succeeds(hubs):
    """Item 30: one gets 1 and seven get 232, again and again."""
    for name in ("night", "day", "noon"):
        assert statuses(hubs, ("configCreate", name), times=4) == {1: 1, 232: 7}
    assert hubs[0].call("configGetList", session=hubs[0].login()).results == ["day", "night", "noon"]


def test_30_a_reader_sees_a_save_whole_or_not_at_all(hubs):
    """Item 30: the document and the tasks that it names are always those of one save."""
    hub, session = hubs[0], hubs[0].login()
    caller(hub, "configCreate", "night")()
    saves = [document(*(task(f"{kind}{number}") for number in range(20))) for kind in "ab"]
    stop = threading.Event()

    def read():
        seen = set()
        while not stop.is_set():
            with hubs[1].service.database.read() as connection:
                found = connection.execute(sa.select(task_table.c.name)).scalars().all()
            seen.add((len(found), "".join(sorted({name[0] for name in found}))))
        return seen

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        for number in range(10):
            assert hub.call("configSaveTasks", "night", saves[number % 2], session=session).status == 1
        stop.set()
        assert reader.result() <= {(0, ""), (20, "a"), (20, "b")}


def test_30_saves_of_one_configuration_follow_one_another(hubs):
    """Items 30 and 76: eight at once leave the tasks of exactly one of them, and every change has its event."""
    caller(hubs[0], "configCreate", "night")()
    contents = [document(task("both", Retries=number), task(f"own-{number}")) for number in range(8)]
    calls = [caller(hubs[n % 2], "configSaveTasks", "night", one) for n, one in enumerate(contents)]
    assert Counter(at_once(*calls)) == {1: 8}
    with hubs[0].service.database.read() as connection:
        saved = configurations.contents(connection, "night").decode()
        found = tasks.of_configuration(connection, configurations.find(connection, "night"))
        events = connection.execute(sa.select(sa.func.count()).select_from(OUTBOX.table)).scalar_one()
    number = contents.index(saved)
    assert [one.name for one in found] == ["both", f"own-{number}"]
    assert found[0].definition.retries == number
    assert events == 8 + 8 + 7


def test_75_one_configuration_is_active_after_any_race(hubs):
    """Items 30, 40 and 75: activations and deletions at once end with a configuration that exists, or none."""
    for _ in range(3):
        for name in ("night", "day"):
            caller(hubs[0], "configCreate", name)()
            caller(hubs[0], "configSaveTasks", name, document(task("a"), task("b")))()
        deleted = [("configActivate", "night"), ("configActivate", "day"), ("configDelete", "night")]
        counted = statuses(hubs, *deleted, ("configSaveTasks", "night", document(task("c"))))
        assert counted.keys() <= {1, 213}
        with hubs[1].service.database.read() as connection:
            active = connection.execute(sa.select(agent_table.c.active)).scalar_one()
            assert configurations.names(connection) == ["day"]
            assert active in {None, configurations.find(connection, "day")}
            left = connection.execute(sa.select(task_table.c.name).order_by(task_table.c.name)).scalars().all()
            assert left == ["a", "b"]


def test_30_pause_resume_reset_and_saves_at_once_end_in_one_order(hubs):
    """Items 30 and 82: no call fails, whatever they change at the same time, and workers count meanwhile."""
    caller(hubs[0], "configCreate", "night")()
    names = [f"t{number}" for number in range(10)]
    caller(hubs[0], "configSaveTasks", "night", document(*map(task, names)))()
    database = hubs[1].service.database

    def count():
        for _ in range(5):
            for name in reversed(names):
                with database.write() as connection:
                    one = tasks.by_names(connection, "night", name)
                    counted = sa.update(task_table).where(task_table.c.id == one.id)
                    connection.execute(counted.values(exec_count=task_table.c.exec_count + 1))
                    add_execution(connection, one)
        return 1

    reordered = document(*map(task, reversed(names)))
    calls = [("taskPause", "night", "*"), ("taskResume", "night", "*"), ("configSaveTasks", "night", reordered)]
    made = [caller(hub, *call) for call in (*calls, ("taskReset", "night", "t3")) for hub in hubs]
    assert Counter(at_once(*made, count)) == {1: 9}
    with database.read() as connection:
        found = tasks.of_configuration(connection, configurations.find(connection, "night"))
        assert [one.name for one in found] == list(reversed(names))
        assert {one.exec_count for one in found if one.name != "t3"} == {5}
        assert len({one.paused for one in found}) == 1
        assert connection.execute(sa.select(sa.func.count()).select_from(execution)).scalar_one() == 50
