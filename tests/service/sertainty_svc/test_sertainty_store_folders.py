"""Executions whose folders are folders of the hub's filestore (93)."""

import contextlib
from dataclasses import asdict, replace

import pytest

from mft_common.endpoints.filestore import Filestore
from mft_common.identity import Signer
from sertainty_svc.domain.tasks import Action, AfterSuccess, Filter, Folders
from sertainty_svc.operations.running.order import Result
from tests.servers.diplomat_jobs import tree
from tests.service.mft_common.filestore_doubles import FakeFilestore, RealFilestore
from tests.service.mft_common.test_transfer_filestore import KEY, by_socket, new_lab
from tests.service.sertainty_svc.execution_worker import TRANSFER, children, task
from tests.service.sertainty_svc.protected_tasks import machines

__all__ = ["children", "machines", "task"]

OVER = Result()
STORE = "filestore:/in"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """filestore-svc on a Unix socket, and the way to it as orders hold it."""
    data = tmp_path_factory.mktemp("store")
    made = RealFilestore(new_lab(data))
    with contextlib.closing(made.lab), by_socket(made, data) as filestore:
        yield made, {"filestore": asdict(filestore)}


def folders(**changes):
    return replace(Folders(source="in", destination="out"), **changes)


def test_93_files_go_into_the_store_and_come_out_of_it(task, store, tmp_path):
    """Item 93: as the account system, and as bytes of the execution's transfer; both are deleted at their sources."""
    shop, order = store
    one = task(
        Action.MOVE, files={"in/a": b"one", "in/b": b""}, order=order, folders=folders(destination=STORE),
        folder=tmp_path / "1",
    )  # fmt: skip
    assert one.run() == OVER
    assert (shop.content("/in/a"), shop.content("/in/b"), tree(one.root)) == (b"one", b"", {})
    two = task(Action.MOVE, order=order, folders=folders(source=STORE), folder=tmp_path / "2")
    assert two.run() == OVER
    assert two.states() == {"a": "successful", "b": "successful"}
    assert tree(two.root) == {"out/a": b"one", "out/b": b""}
    assert (shop.content("/in/a"), shop.content("/in/b")) == (None, None)
    assert ("system", TRANSFER) in shop.callers


def test_87_93_a_source_is_archived_in_the_store_and_a_failed_one_moved_there(task, store, tmp_path):
    """Items 86, 87 and 93: between the two it is copied, verified and then deleted, under a name that is free."""
    shop, order = store
    shop.put("/in/a.csv", b"former")
    files = {"in/a.csv": b"one", "in/b.csv": b"two", "out/b.csv": b"there"}
    chosen = folders(archive=STORE, failed=STORE)
    one = task(files=files, order=order, folders=chosen, after_success=AfterSuccess.ARCHIVE)
    assert one.run() == OVER
    assert one.states() == {"a.csv": "successful", "b.csv": "failed"}
    assert tree(one.root) == {"out/a.csv": b"one", "out/b.csv": b"there"}
    assert [shop.content(f"/in/{name}.csv") for name in ("a", "a-1", "b")] == [b"former", b"one", b"two"]
    assert shop.unfinished() == 0


@pytest.mark.parametrize("stored", [False, True])
def test_88_93_after_kill_9_at_any_message_the_source_is_in_the_store_once(task, store, tmp_path, stored):
    """Items 88 and 93: an archive copy that was complete is recognised; the output in the store is not doubled."""
    shop, order = store
    number, messages = 0, 1
    while number < messages:
        name = f"k{int(stored)}{number}"
        chosen = folders(destination=STORE, archive="filestore:/out")
        one = task(
            files={f"in/{name}": b"content"}, order=order, folders=chosen, after_success=AfterSuccess.ARCHIVE,
            folder=tmp_path / str(number),
        )  # fmt: skip
        one.refused = (number, stored)
        if one.killed():
            one.refused = None
            if not (one.files and one.one().over):
                assert one.run(attempt=2) == OVER
            messages = number + 2
        number += 1
        assert one.states() == {name: "successful"}, one.one()
        assert tree(one.root) == {}
        assert shop.content(f"/in/{name}") == shop.content(f"/out/{name}") == b"content"
        assert shop.content(f"/out/{name}-1") is None
    assert messages > 8


def test_89_90_93_files_are_protected_into_the_store_and_restored_from_it(task, store, machines):
    """Items 89, 90 and 93: a file whose size is not known before it is made is delivered too."""
    shop, order = store
    order = {**order, **machines.here.order()}
    one = task(
        Action.AUTO_PROTECT, files={"in/p": b"content"}, order=order, folders=folders(destination=STORE),
        id_name="edge.iic", folder=machines.folder / "1",
    )  # fmt: skip
    assert one.run() == OVER
    assert shop.content("/in/p.sealed").startswith(b"\x89XSEAL")
    two = task(
        Action.AUTO_UNPROTECT, order=order, folders=folders(source=STORE), id_name="edge.iic",
        filter=Filter(include=("p.*",)), after_success=AfterSuccess.DELETE, folder=machines.folder / "2",
    )  # fmt: skip
    assert two.run() == OVER
    assert tree(two.root) == {"out/p": b"content"}
    assert shop.content("/in/p.sealed") is None


@pytest.mark.parametrize(
    ("changes", "filters", "reason"),
    [
        ({"destination": "filestore:/nowhere"}, Filter(), "The folder filestore:/nowhere cannot be used"),
        ({"source": STORE}, Filter(recurse=True), "folders below are not listed"),
        ({"source": STORE, "destination": "filestore:in"}, Filter(), "begins with a slash"),
        ({"source": STORE, "destination": "filestore:/in/"}, Filter(), "is the source, or lies below it"),
    ],
)
def test_86_93_folders_of_the_store_that_cannot_be_used(task, store, changes, filters, reason):
    """Items 86 and 93: a folder that filestore does not have, or that tasks cannot use, is the task's fault."""
    one = task(files={"in/a": b"1"}, order=store[1], folders=folders(**changes), filter=filters)
    assert reason in one.run().fault
    assert tree(one.root) == {"in/a": b"1"}


class Sick(FakeFilestore):
    """A store that answers the next `failing` uploads with 503."""

    failing = 0

    def _uploads(self, environ, path, query):
        if environ["REQUEST_METHOD"] == "POST" and self.failing:
            self.failing -= 1
            return 503, [], b""
        return super()._uploads(environ, path, query)


@pytest.mark.parametrize(("failing", "state"), [(1, "successful"), (2, "failed")])
def test_86_what_may_heal_is_tried_again_and_then_the_files_fault(task, tmp_path_factory, failing, state):
    """Item 86: up to Retries times with back-off; after that the file has failed, and the others go on."""
    data = tmp_path_factory.mktemp("sick")
    sick = Sick(Signer([KEY]))
    sick.failing = failing
    with by_socket(sick, data) as way:
        one = task(
            files={"in/a": b"one", "in/b": b"two"}, order={"filestore": asdict(way)}, retries=1,
            folders=folders(destination=STORE, failed="failed"),
        )  # fmt: skip
        assert one.run() == OVER
    assert one.states() == {"a": state, "b": "successful"}
    assert one.files[0].tries == 2
    assert sick.content("/in/b") == b"two"
    assert sorted(tree(one.root)) == ["in/a" if state == "successful" else "failed/a", "in/b"]


def test_86_93_a_store_that_does_not_answer_is_the_tasks_fault(task, tmp_path):
    """Item 86: filestore is away; no file is blamed."""
    way = Filestore(f"unix:{tmp_path}/nowhere.sock", (KEY,))
    chosen = folders(destination=STORE)
    one = task(Action.MOVE, files={"in/a": b"1"}, order={"filestore": asdict(way)}, folders=chosen).add("a")
    assert "The folder filestore:/in cannot be used" in one.run().fault
    assert (one.states(), tree(one.root)) == ({"a": "waiting"}, {"in/a": b"1"})
