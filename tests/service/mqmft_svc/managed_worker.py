"""The worker's side of managed transfers, in short: it stores what a child reports, and answers."""

from pathlib import Path

import pytest

from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.registry import Endpoints
from mft_common.process.runner import Runner
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.operations.managed.child import RUN, SWEEP
from mqmft_svc.operations.managed.reports import HELD
from tests.servers.managed_transfers import payload

MODULES = (
    "mqmft_svc.operations.managed.child",
    "mft_common.endpoints.sftp",
    "mft_common.endpoints.s3",
    "asyncssh",
    "boto3",
)


class Killed(Exception):  # noqa: N818 -- raised in the thread that handles messages, it ends the child with SIGKILL
    """The child gets no answer."""


class Transfer:
    """A managed transfer between `from` and `to` of a folder, or other roots; `run` runs it in a child.

    `files` is what a worker's database would hold. `before[kind]` is called with a message before it is stored.
    """

    def __init__(self, runner: Runner, folder: Path, *items, **changes) -> None:
        self.source, self.destination = folder / "from", folder / "to"
        self.files: dict[int, ManagedFile] = {}
        self.messages: list[tuple[str, object]] = []
        self.before: dict[str, object] = {}
        # The number of the message that is refused, and whether it is stored before.
        self.refused: tuple[int, bool] | None = None
        self.owned = True
        self.handle = None
        self._runner = runner
        changes = {"source": "file:from", "destination": "file:to", **changes}
        endpoints = changes.pop("endpoints", None) or Endpoints(folders=LocalFolders(folder))
        self.payload = payload(endpoints, items=items, **changes)

    def start(self, **changes):
        """Start a run, which goes on where the last one was."""
        files = [self.files[place].to_json() for place in sorted(self.files)] if self.messages else None
        self.handle = self._runner.run(RUN, {**self.payload, "files": files, **changes}, self._hear)
        return self.handle

    def run(self, **changes):
        """Run it to the end of its child, and return the result."""
        end = self.start(**changes).wait(60)
        assert end is not None
        assert end.completed, (end.reason, end.refusal)
        return end.result

    def killed(self, **changes):
        """Run it until a message is refused, upon which the child is killed."""
        end = self.start(**changes).wait(60)
        assert isinstance(end.refusal, Killed), end

    def sweep(self, sources=(), groups=()):
        """Remove what it left; return the problem."""
        temporaries = [file.temporary for file in self.files.values() if file.temporary]
        names = ("transfer_id", "token", "source", "destination", "endpoints", "brokers")
        order = {name: self.payload[name] for name in names}
        order |= {
            "patience_s": 5.0,
            "temporaries": temporaries,
            "groups": list(groups),
            "has_files": True,
            "folders": sorted({source.rpartition("/")[0] for source in sources}),
        }
        end = self._runner.run(SWEEP, order, lambda _kind, _data: None).wait(60)
        assert end.completed
        return end.result["problem"]

    def kinds(self):
        """Return the kinds of messages so far."""
        return [kind for kind, _ in self.messages]

    def states(self):
        """Return how the files stand, by their positions."""
        return [self.files[place].state for place in sorted(self.files)]

    def one(self):
        """Return the only file."""
        (file,) = self.files.values()
        return file

    def _hear(self, kind, data):
        if kind == HELD:
            # It comes when enough time has passed, and so at no place of its own.
            return True
        self.messages.append((kind, data))
        if kind in self.before:
            self.before[kind](data)
        number = len(self.messages) - 1
        if self.refused == (number, False):
            raise Killed
        answer = getattr(self, f"_{kind}")(data)
        if self.refused == (number, True):
            raise Killed
        return True if answer is None else answer

    def _found(self, files):
        for file in map(ManagedFile.from_json, files):
            assert file.position not in self.files
            self.files[file.position] = file

    def _began(self, data):
        self._change(data, state="moving")

    def _transfer_held(self, _data):
        self.messages.pop()

    def _progress(self, data):
        self._change(data)

    def _checkpoint(self, data):
        self._change(data)

    def _may_commit(self, data):
        if data["checkpoint"] is not None:
            self._change(data)
        return self.owned

    def _delivered(self, data):
        self.files[data["position"]] = ManagedFile.from_json(data)

    _file_ended = _delivered

    def _files(self, data):
        return [self.files[place].to_json() for place in sorted(self.files) if place > data["after"]][:1000]

    def _change(self, data, **values):
        position = data["position"]
        self.files[position] = self.files[position].changed(**{**data, **values})


@pytest.fixture(scope="module")
def children():
    """The runner of a worker, for all tests of a module."""
    with Runner("mqmft-svc", MODULES) as made:
        yield made


@pytest.fixture
def transfer(children, tmp_path):
    """Return a function that makes two folders, files in the first, and a transfer."""

    def make(*items, files=(), folder=tmp_path, **changes):
        for name in ("from", "to"):
            (folder / name).mkdir(parents=True)
        for name, content in dict(files).items():
            (folder / "from" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "from" / name).write_bytes(content)
        return Transfer(children, folder, *items, **changes)

    return make
