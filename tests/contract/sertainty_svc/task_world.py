"""A service with tasks in its database, whose watcher and timers a test steps by hand; its executions end by a call."""

import dataclasses
import json

import pytest
import sqlalchemy as sa

from mft_common.ids import TransferIds
from sertainty_svc import bootstrap
from sertainty_svc.domain.tasks import Action, Filter, Folders, TaskDefinition, TaskSchedule, TaskType
from sertainty_svc.operations import agenda
from sertainty_svc.operations.arrivals import Arrivals
from sertainty_svc.operations.queueing import Queueing
from sertainty_svc.operations.scheduling import timers_of
from sertainty_svc.operations.watches import watcher_of
from sertainty_svc.settings import Settings
from sertainty_svc.store import execution_files, executions, tasks
from sertainty_svc.store.tables import agent, configuration, execution, task
from tests.service.sertainty_svc.protector import FakeDirectory

START = 1_780_000_000_000


def change(name="copy", action=Action.COPY, source="in", *, recurse=False, include=("*",), exclude=(), **more):
    """Return a Change task that copies from `in` to `out`."""
    return TaskDefinition(
        name=name, type=TaskType.CHANGE, action=action, folders=Folders(source=source, destination="out"),
        filter=Filter(include=tuple(include), exclude=tuple(exclude), recurse=recurse), **more,
    )  # fmt: skip


def timed(name="hourly", **schedule):
    """Return a Time task with a schedule."""
    return TaskDefinition(
        name=name, type=TaskType.TIME, action=Action.SCRIPT, script="x.py", schedule=TaskSchedule(**schedule)
    )


class World:
    """One hub whose agent runs. `now` is the wall clock in milliseconds, `at` the watcher's in seconds."""

    def __init__(self, url, folder, *, owner="w"):
        self.now, self.at, self.faults, self.fault_times = START, 1000.0, [], []
        self.root = folder / "data" / "root"
        (self.root / "in").mkdir(parents=True, exist_ok=True)
        settings = Settings.from_env({"SERTAINTY_DATABASE_URL": url, "MFT_DATA": str(folder / "data")})
        self.service = bootstrap.build(
            settings, directory=FakeDirectory(), config={"data_protector": {"folders": ["root"]}}, now=lambda: self.now
        )
        self.database = self.service.database
        context = self.service.operations.context
        self.queueing = Queueing(TransferIds("TEST"), lambda: self.now, self._end_at_once)
        self.watcher = watcher_of(context, self.queueing, None, owner=owner, now=lambda: self.at)
        self.timers = timers_of(self.database, self.queueing, lambda: self.now)
        self.arrivals = Arrivals(self.database, lambda: self.now)
        with self.database.write() as connection:
            connection.execute(sa.update(agent).values(running=True, enabled=True, started=True, beat_at=START))

    def _end_at_once(self, connection, of, error, transfer_id):
        self.faults.append((of.name, error))
        self.fault_times.append(self.at)
        self.service.ending.fail(connection, of, error, transfer_id)

    def alter(self, **values):
        """Change the agent."""
        with self.database.write() as connection:
            connection.execute(sa.update(agent).values(**values))
            agenda.sync(connection, self.now)

    def save(self, *definitions, config="night", active=True):
        """Save the tasks of a configuration, as configSaveTasks does; those whose names survive keep their rows."""
        with self.database.write() as connection:
            found = sa.select(configuration.c.id).where(configuration.c.name == config)
            id_ = connection.execute(found).scalar()
            if id_ is None:
                made = sa.insert(configuration).values(name=config, tasks=b"", account="operator", saved_at=self.now)
                id_ = connection.execute(made.returning(configuration.c.id)).scalar_one()
            if active:
                connection.execute(sa.update(agent).values(active=id_))
            names = [one.name for one in definitions]
            connection.execute(sa.delete(task).where(task.c.configuration == id_, task.c.name.not_in(names)))
            for position, one in enumerate(definitions):
                values = {"position": position, "definition": json.dumps(one.to_json())}
                stored = tasks.find(connection, id_, one.name)
                if stored is None:
                    new = {"configuration": id_, "name": one.name, "paused": False, **values}
                    connection.execute(sa.insert(task).values(new))
                else:
                    tasks.update(connection, stored.id, **values)
            agenda.sync(connection, self.now)

    def update(self, name="copy", **values):
        """Change columns of a task, as taskPause does."""
        with self.database.write() as connection:
            tasks.update(connection, self.task(name).id, **values)
            agenda.sync(connection, self.now)

    def task(self, name="copy"):
        """Return a task by its name."""
        with self.database.read() as connection:
            id_ = connection.execute(sa.select(task.c.id).where(task.c.name == name)).scalar_one()
            return tasks.by_id(connection, id_)

    def write(self, name, content=b"x", folder="in"):
        """Write a file of the source folder."""
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def run(self, seconds, every=0.5):
        """Let the watcher look for some seconds."""
        for _ in range(int(seconds / every)):
            self.at += every
            self.now += int(every * 1000)
            self.watcher.step()

    def fire(self, at):
        """Let a worker look at the timers at so many milliseconds after the start."""
        self.now = START + at
        return self.timers.step()

    def waiting(self, name=None):
        """Return the executions that are not over."""
        with self.database.read() as connection:
            ids = connection.execute(sa.select(execution.c.id).where(execution.c.status != "over")).scalars().all()
            found = [executions.find(connection, id_) for id_ in sorted(ids)]
        return [one for one in found if name in (None, one.task)]

    def files(self, one):
        """Return the paths of an execution."""
        with self.database.read() as connection:
            return [file.path for file in execution_files.each(connection, one.id)]

    def end(self):
        """End the executions that wait; return the paths of all."""
        paths = []
        for one in self.waiting():
            paths += self.files(one)
            with self.database.write() as connection:
                executions.end(connection, one, self.now, files=0, errors=0, error="", left=False)
                agenda.wake(connection, one.definition)
        return paths

    def close(self):
        """Close watcher and database."""
        self.watcher.close()
        self.service.close()


def changed(definition, **values):
    """Return a definition with other values."""
    return dataclasses.replace(definition, **values)


@pytest.fixture
def world(database_url, tmp_path):
    """A hub without tasks."""
    made = World(database_url, tmp_path)
    yield made
    made.close()
