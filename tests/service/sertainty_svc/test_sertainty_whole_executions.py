"""The ends of executions by the real child, as the worker records and tells them (86, 92, 111)."""

import contextlib
import threading

import pytest

from mft_common.process.runner import Runner
from mft_common.watching import Found
from sertainty_svc.domain.places import folder_of, place_of
from sertainty_svc.domain.tasks import Action, AfterSuccess, Folders
from sertainty_svc.store import executions, tasks
from sertainty_svc.store.tables import DELIVERIES
from tests.servers.diplomat_jobs import tree
from tests.service.sertainty_svc.executing import START, Engine

FOLDERS = Folders(source="in", destination="out", failed="failed", archive="done")


@pytest.fixture(scope="module")
def runner():
    """The runner of a worker, for all tests of a module."""
    with Runner("sertainty-svc", ("sertainty_svc.operations.running.child",)) as made:
        yield made


class Hub(Engine):
    """A service whose tasks have the root `root`, and are carried out by the real child."""

    def __init__(self, folder, url, runner, section=()):
        super().__init__(folder, url, runner, {"folders": [str(folder / "root")], **dict(section)})
        self.root = folder / "root"
        (self.root / "in").mkdir(parents=True)

    @contextlib.contextmanager
    def worker(self, **options):
        """Carry out executions by the real child within the block."""
        stop = threading.Event()
        thread = threading.Thread(target=self.service.dispatcher(**options).run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)

    def add(self, id_, *names):
        """Queue an execution over files of the source, with what a watch knows them by."""
        found = []
        for name in names:
            status = (self.root / "in" / name).stat()
            identity = f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
            found.append(Found(name, identity, status.st_size, status.st_mtime_ns // 1_000_000))
        with self.database.write() as connection:
            return executions.queue(
                connection, tasks.by_id(connection, id_), transfer_id=self.ids.new(), now=self.now, files=found
            )

    def put(self, **contents):
        """Put files into the source folder."""
        for name, content in contents.items():
            (self.root / "in" / name).write_bytes(content)

    def last_transfer(self):
        """Return the end of the last transfer."""
        return self.events("transfer.ended")[-1]


@pytest.fixture
def hub(tmp_path, database_url, runner):
    """The service."""
    made = Hub(tmp_path, database_url, runner)
    yield made
    made.service.close()


@pytest.mark.parametrize("folder", ["out", "./out/", "absolute"])
def test_111_a_file_for_another_task_names_the_transfer_that_wrote_it(hub, folder):
    """Item 111: it is known by the place and the size; a folder that no task watches is not remembered."""
    out = str(hub.root / "out") if folder == "absolute" else folder
    first = hub.task("first", folders=Folders(source="in", destination=out))
    hub.task("second", folders=Folders(source=out, destination="kept"))
    apart = hub.task("apart", folders=Folders(source="in", destination="kept"))
    hub.put(a=b"one", b=b"three")
    with hub.worker():
        ended = hub.ended(hub.add(first, "a", "b"))
        hub.ended(hub.add(apart, "a"))
    place, elsewhere = (place_of(folder_of(one), "a") for one in (out, "kept"))
    find = DELIVERIES.find
    assert hub.read(lambda connection: find(connection, [place], 3)) == ended.transfer_id
    assert hub.read(lambda connection: find(connection, [place], 4)) is None
    assert hub.read(lambda connection: find(connection, [elsewhere], None)) is None


def test_92_111_a_batch_is_moved_as_one_transfer(hub):
    """Items 92 and 111: each file is an item with sizes and digests of what was read and written."""
    hub.put(a=b"one", b=b"two" * 100_000)
    id_ = hub.task(action=Action.MOVE, folders=FOLDERS)
    with hub.worker():
        ended = hub.ended(hub.add(id_, "a", "b"))
    assert (ended.files, ended.errors, ended.error) == (2, 0, "")
    assert tree(hub.root) == {"out/a": b"one", "out/b": b"two" * 100_000}
    transfer = hub.last_transfer()
    assert (transfer.transfer_id, transfer.state) == (ended.transfer_id, "successful")
    assert (transfer.totals.files, transfer.totals.successes, transfer.totals.bytes_sent) == (2, 2, 300_003)
    sides = [(one.source, one.destination) for one in transfer.items]
    assert [(source.path, target.path) for source, target in sides] == [("in/a", "out/a"), ("in/b", "out/b")]
    assert [source.sha256 == target.sha256 != "" for source, target in sides] == [True, True]
    assert hub.log(id_)[-2:] == ["moved", "moved"]


def test_86_111_a_file_that_failed_makes_an_execution_in_error(hub):
    """Items 86 and 111: the rest of the batch goes on, and the transfer is partly successful."""
    hub.put(a=b"new", b=b"two")
    (hub.root / "out").mkdir()
    (hub.root / "out" / "a").write_bytes(b"old")
    id_ = hub.task(folders=FOLDERS, after_success=AfterSuccess.ARCHIVE)
    with hub.worker():
        ended = hub.ended(hub.add(id_, "a", "b"))
    assert ended.errors == 1
    assert hub.stored(id_).failed
    assert "exists already" in hub.stored(id_).error
    assert hub.last_transfer().state == "partiallySuccessful"
    assert tree(hub.root) == {"out/a": b"old", "failed/a": b"new", "out/b": b"two", "done/b": b"two"}


def test_86_the_tasks_own_fault_blames_no_file(hub):
    """Item 86: the task tries again later, and its files wait."""
    hub.put(a=b"one")
    id_ = hub.task(folders=Folders(source="in", destination="/etc"))
    with hub.worker():
        ended = hub.ended(hub.add(id_, "a"))
    assert ended.error == "The folder /etc lies outside the folders that tasks may reach."
    stored = hub.stored(id_)
    assert (stored.faults, stored.failed, stored.retry_at) == (1, True, START + 5000)
    assert tree(hub.root) == {"in/a": b"one"}
