"""The worker's side of an execution, in short: it stores what a child reports, and answers."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from mft_common.process.runner import Runner
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.domain.tasks import Action, Filter, Folders, TaskDefinition, TaskType
from sertainty_svc.operations.running import messages
from sertainty_svc.operations.running.child import RUN, SWEEP
from sertainty_svc.operations.running.order import Order, Result

TRANSFER = "414D5120514D312020202020202020203F0C71A200000017"
TOKEN = TRANSFER[-16:]
FOLDERS = Folders(source="in", destination="out", failed="failed", archive="done")


class Killed(Exception):  # noqa: N818 -- raised in the thread that handles messages, it ends the child with SIGKILL
    """The child gets no answer."""


class Task:
    """A task below `root` of a folder; `run` runs an execution of it in a child.

    `files` is what a worker's database would hold, and `logged` the log of the task. `before[kind]` is called with a
    message before it is stored. `refused` is the number of the message that is refused, and whether it is stored.
    `may_go_on` and `owned` are answers; `when_held` is called before the answer to a message HELD.
    """

    def __init__(self, runner: Runner, folder: Path, definition: TaskDefinition, **order) -> None:
        self.root = folder / "root"
        self.order = Order(
            transfer_id=TRANSFER,
            token=TOKEN,
            configuration="night",
            number=1,
            attempt=1,
            definition=definition,
            has_files=False,
            roots=(str(self.root),),
            data=str(folder / "data"),
            private=str(folder / "data" / "state" / "private"),
        )
        self.order = replace(self.order, **order)
        self.files: dict[int, ExecutionFile] = {}
        self.found_all = False
        self.messages: list[tuple[str, object]] = []
        self.logged: list[dict] = []
        self.ids: dict[str, list[str]] = {}
        self.unproved: dict[str, ExecutionFile] = {}
        self.ran = {"runs": 0, "ran": False}
        self.before: dict[str, object] = {}
        self.refused: tuple[int, bool] | None = None
        self.may_go_on = True
        self.owned = True
        self.held = 0
        self.when_held = None
        self.handle = None
        self._runner = runner

    def add(self, *paths, identities=()):
        """Give the execution the files of a batch."""
        self.found_all = True
        for position, path in enumerate(paths):
            identity = dict(identities).get(path, "")
            self.files[position] = ExecutionFile(position=position, path=path, identity=identity)
        return self

    def start(self, **changes):
        """Start an attempt, which goes on where the last one was."""
        order = replace(self.order, has_files=self.found_all, **self.ran, **changes)
        self.handle = self._runner.run(RUN, order.to_json(), self._hear)
        return self.handle

    def run(self, **changes):
        """Run it to the end of its child, and return the result."""
        end = self.start(**changes).wait(60)
        assert end is not None
        assert end.completed, (end.reason, end.refusal)
        return Result(**end.result)

    def killed(self, **changes):
        """Run it until a message is refused, upon which the child is killed; return whether it was."""
        end = self.start(**changes).wait(60)
        return isinstance(end.refusal, Killed)

    def sweep(self):
        """Remove what it left; return the problem."""
        payload = {**self.order.to_json(), "files": [file.to_json() for file in self.files.values()]}
        end = self._runner.run(SWEEP, payload, lambda _kind, _data: None).wait(60)
        assert end.completed
        return end.result["problem"]

    def states(self):
        """Return how the files stand, by their paths."""
        return {file.path: file.state for file in self.files.values()}

    def one(self):
        """Return the only file."""
        (file,) = self.files.values()
        return file

    def kinds(self):
        """Return the kinds of messages so far."""
        return [kind for kind, _ in self.messages]

    def lines(self):
        """Return the lines of the log: level, file and text."""
        return [(line["level"], line["file"], line["text"]) for line in self.logged]

    def _hear(self, kind, data):
        if kind in (messages.PROGRESS, messages.LOG, messages.HELD):
            # They come at no place of their own.
            return getattr(self, f"_{kind}")(data)
        self.messages.append((kind, data))
        if kind in self.before:
            self.before[kind](data)
        number = len(self.messages) - 1
        if self.refused == (number, False):
            raise Killed
        answer = getattr(self, f"_{kind}")(data)
        if self.refused == (number, True):
            raise Killed
        return answer

    def _may_go_on(self, _data):
        return self.may_go_on

    def _files(self, data):
        waiting = [self.files[place] for place in sorted(self.files) if place > data["after"]]
        return [file.to_json() for file in waiting if not file.over][: messages.PAGE]

    def _found(self, data):
        assert not self.found_all
        assert len(data["files"]) <= messages.PAGE
        self.found_all = data["all"]
        for file in map(ExecutionFile.from_json, data["files"]):
            assert file.position not in self.files
            self.files[file.position] = file

    def _changed(self, data):
        file = ExecutionFile.from_json(data)
        assert not self.files[file.position].over
        self.files[file.position] = file

    def _progress(self, data):
        file = self.files[data["position"]]
        self.files[file.position] = file.changed(bytes_done=data["bytes_done"])

    def _may_commit(self, data):
        self._changed(data)
        return self.owned

    def _held(self, _data):
        self.held += 1
        if self.when_held is not None:
            self.when_held()

    def _log(self, lines):
        self.logged += lines

    def _find_ids(self, data):
        return self.ids.get(data["uid"], [])

    def _ran(self, data):
        self.ran = {"runs": data["runs"], "ran": data["done"]}

    def _find_unproved(self, data):
        found = self.unproved.get(data["path"])
        return None if found is None else found.to_json()


def definition(action=Action.COPY, **changes):
    """Return a task that is run by time, once."""
    return TaskDefinition(
        **{"name": "ship", "type": TaskType.TIME, "action": action, "folders": FOLDERS, "retries": 0, **changes}
    )


def recursive(*include, exclude=()):
    """Return a filter of all folders below."""
    return Filter(include=include or ("*",), exclude=tuple(exclude), recurse=True)


def identity(path):
    """Return what a watch knows a file by."""
    status = path.stat()
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def stored(file):
    """Return a file as a mapping without what is at its default."""
    return {name: value for name, value in asdict(file).items() if value not in ("", None)}


@pytest.fixture(scope="module")
def children():
    """The runner of a worker, for all tests of a module."""
    with Runner("sertainty-svc", ("sertainty_svc.operations.running.child",)) as made:
        yield made


@pytest.fixture
def task(children, tmp_path):
    """Return a function that makes a task, and files below its root by their paths."""

    def make(action=Action.COPY, files=(), folder=tmp_path, order=(), **changes):
        (folder / "data" / "state").mkdir(parents=True)
        (folder / "root" / "in").mkdir(parents=True)
        for name, content in dict(files).items():
            (folder / "root" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "root" / name).write_bytes(content)
        return Task(children, folder, definition(action, **changes), **dict(order))

    return make
