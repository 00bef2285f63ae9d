"""A hub whose tasks are carried out by the child of `tests.servers.execution_child`, over both kinds of database."""

import contextlib
import json
import threading

import pytest
import sqlalchemy as sa

from mft_common.ids import TransferIds
from mft_common.process.runner import Runner
from mft_common.watching import Found
from mft_common.watching.memory import digest
from sertainty_svc import bootstrap
from sertainty_svc.domain.tasks import Action, Folders, TaskDefinition, TaskType
from sertainty_svc.settings import Settings
from sertainty_svc.store import agent as agents
from sertainty_svc.store import executions, tasks
from sertainty_svc.store.tables import TASK_LOG, WATCHES, agent, configuration, task
from tests.servers.execution_child import RUN, SWEEP
from tests.servers.outboxes import ROWS, read_events
from tests.servers.processes import wait_until

START = 1_780_000_000_000


class Engine:
    """One service with a configuration `night`, which is active, and folders for the files of its tasks.

    `now` is the service's clock, which moves only by hand.
    """

    def __init__(self, folder, url, runner, section=None):
        self.folder, self.now = folder, START
        # Beside the folder, which may be a root of tasks.
        self.data = folder.with_name(f"{folder.name}-data")
        self.ids = TransferIds("AMQ QM1")
        self.config = {"data_protector": section or {}}
        self.service = bootstrap.build(
            Settings.from_env({"SERTAINTY_DATABASE_URL": url, "MFT_DATA": str(self.data)}),
            directory=object(), config=self.config, runner=runner, now=lambda: self.now,
        )  # fmt: skip
        self.database = self.service.database
        for name in ("in", "out", "gate"):
            (folder / name).mkdir(exist_ok=True)
        with self.database.write() as connection:
            agents.beat(connection, self.now)
            made = {"name": "night", "tasks": b"", "account": "operator", "saved_at": self.now}
            self.night = connection.execute(
                sa.insert(configuration).values(made).returning(configuration.c.id)
            ).scalar()
            connection.execute(sa.update(agent).values(active=self.night, log="first"))

    def task(self, name="copies", **changes):
        """Store a task, and a watch that remembers what it hands over; return the id."""
        folders = Folders(source=str(self.folder / "in"), destination=str(self.folder / "out"))
        given = {"type": TaskType.CHANGE, "action": Action.COPY, "folders": folders, **changes}
        definition = TaskDefinition(name=name, **given)
        row = {"configuration": self.night, "name": name, "position": 0, "paused": False}
        row["definition"] = json.dumps(definition.to_json())
        with self.database.write() as connection:
            id_ = connection.execute(sa.insert(task).values(row).returning(task.c.id)).scalar_one()
            WATCHES.define(connection, f"task/{id_}", "any")
        return id_

    def put(self, *names):
        """Put files into the source folder."""
        for name in names:
            (self.folder / "in" / name).write_text(f"content of {name}")

    def queue(self, id_, *names, make=True, **options):
        """Queue an execution over files, as the watch of its task does."""
        if make:
            self.put(*names)
        with self.database.write() as connection:
            found = [Found(name, f"1:{name}", 1, 1) for name in names]
            WATCHES.mark(connection, f"task/{id_}", {digest(one.path): digest(one.identity) for one in found}, 1)
            return executions.queue(
                connection, tasks.by_id(connection, id_), transfer_id=self.ids.new(), now=self.now, files=found,
                **options,
            )  # fmt: skip

    def read(self, work):
        """Return what a function of a connection returns."""
        with self.database.read() as connection:
            return work(connection)

    def stored(self, id_):
        """Return a task."""
        return self.read(lambda connection: tasks.by_id(connection, id_))

    def execution(self, id_):
        """Return an execution, None where it is gone."""
        return self.read(lambda connection: executions.find(connection, id_))

    def ended(self, execution, within=60):
        """Wait for the end of an execution, and return it."""
        wait_until(lambda: self.execution(execution.id).status == "over", within=within, what="the execution's end")
        return self.execution(execution.id)

    def change_agent(self, **values):
        """Change the agent's row, as a function of the agent does."""
        with self.database.write() as connection:
            connection.execute(sa.update(agent).values(**values))

    def change_task(self, id_, **values):
        """Change a task's row."""
        with self.database.write() as connection:
            tasks.update(connection, id_, **values)

    def remembered(self, id_, *names):
        """Return those of some names that the watch of a task still remembers as handled."""
        known = self.read(lambda connection: WATCHES.load(connection, f"task/{id_}"))
        return [name for name in names if digest(name) in known]

    def waits(self, name):
        """Wait until a child is about to commit a file."""
        wait_until((self.folder / "gate" / name).exists, what=f"the child at {name}")

    def go(self, *names):
        """Let children commit files."""
        for name in names:
            (self.folder / "gate" / f"{name}.go").touch()

    @property
    def gate(self):
        """The parameter of tasks whose children wait before each commit."""
        return {"gate": str(self.folder / "gate")}

    def ledger(self):
        """Return the names of the committed files, in order."""
        path = self.folder / "gate" / "ledger"
        return path.read_text().split() if path.exists() else []

    def outputs(self):
        """Return the names in the destination folder, unfinished files too."""
        return sorted(path.name for path in (self.folder / "out").iterdir())

    def events(self, kind=""):
        """Return the data of the events so far whose type begins so."""
        rows = self.read(lambda connection: connection.execute(sa.text(ROWS)).all())
        return [one.data for one in read_events("sertainty-svc", rows) if one.type.startswith(kind)]

    def log(self, id_):
        """Return the texts of a task's log, and the number of older ones where a record stands for those."""

        def texts(connection):
            last = TASK_LOG.last_id(connection, f"task/{id_}") or 0
            pages = TASK_LOG.pages(connection, f"task/{id_}", last_id=last)
            return [record[3] or json.loads(record[2])["text"] for page in pages for record in page]

        return self.read(texts)

    @contextlib.contextmanager
    def worker(self, **options):
        """Carry out executions within the block."""
        stop = threading.Event()
        dispatcher = self.service.dispatcher(RUN, SWEEP, **options)
        thread = threading.Thread(target=dispatcher.run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)


@pytest.fixture(scope="module")
def runner():
    """The runner of a worker, for all tests of a module."""
    with Runner("sertainty-svc", ("tests.servers.execution_child",)) as made:
        yield made


@pytest.fixture
def open_engine(tmp_path, database_url, runner):
    """Return a function that makes the service with a section of its configuration."""
    made = []

    def open_engine(section=None):
        made.append(Engine(tmp_path, database_url, runner, section))
        return made[-1]

    yield open_engine
    for one in made:
        one.service.close()


@pytest.fixture
def engine(open_engine):
    """The service with the defaults of its section."""
    return open_engine()
