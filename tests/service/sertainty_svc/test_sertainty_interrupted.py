"""Executions whose worker stops while a source is handled, and whose store is busy amid their files (86, 87, 88)."""

import contextlib
import time
from dataclasses import asdict

import pytest

from sertainty_svc.domain.tasks import Action, AfterSuccess, Filter, Folders
from sertainty_svc.operations.running.order import Result
from tests.servers.diplomat_jobs import tree
from tests.servers.processes import wait_until
from tests.service.mft_common.filestore_doubles import RealFilestore
from tests.service.mft_common.test_transfer_filestore import by_socket, new_lab
from tests.service.sertainty_svc.execution_worker import children, task
from tests.service.sertainty_svc.protected_tasks import machines

__all__ = ["children", "machines", "task"]

OVER = Result()
STORE = "filestore:/in"


class Busy(RealFilestore):
    """filestore-svc behind a door that answers 503 to requests of the methods `refused`."""

    refused = ()
    # Whether one request is refused, and those after it are not.
    once = False

    def __call__(self, environ, start_response):
        """Answer a request as WSGI says."""
        if environ["REQUEST_METHOD"] not in self.refused:
            return super().__call__(environ, start_response)
        if self.once:
            self.refused, self.once = (), False
        start_response("503 Busy", [("Content-Length", "0")])
        return [b""]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """filestore-svc on a Unix socket, and the way to it as orders hold it."""
    data = tmp_path_factory.mktemp("store")
    made = Busy(new_lab(data))
    with contextlib.closing(made.lab), by_socket(made, data) as filestore:
        yield made, {"filestore": asdict(filestore)}


@pytest.mark.parametrize(("there", "name", "state"), [({}, "a", "delivered"), ({"out/b": b"old"}, "b", "moving")])
def test_87_88_a_worker_that_stops_amid_the_copy_of_a_source_lets_the_next_one_end_it(task, store, there, name, state):
    """Items 86 to 88: a source on its way to Archive or Failed is not left where it was for ever."""
    shop, order = store
    chosen = Folders(source="in", destination="out", archive=STORE, failed=STORE)
    one = task(
        files={f"in/{name}": b"content", **there}, order=order, folders=chosen, after_success=AfterSuccess.ARCHIVE
    )

    def stop(data):
        if "aside" in (data.get("checkpoint") or {}):
            one.handle.stop()

    one.before["changed"] = stop
    assert one.run() == Result(stopped=True, left=True)
    assert one.one().state == state
    one.before = {}
    assert one.run(attempt=2) == OVER
    assert one.one().state == ("failed" if there else "successful")
    assert f"in/{name}" not in tree(one.root)
    assert shop.content(f"/in/{name}") == b"content"
    assert shop.unfinished() == 0


def test_87_88_a_worker_that_stops_between_two_tries_to_delete_a_source_lets_the_next_one_delete_it(task, store):
    """Items 87 and 88: a source whose deletion may heal is not kept for ever because its worker stops."""
    shop, order = store
    shop.put("/in/c", b"content")
    one = task(
        Action.MOVE, order=order, folders=Folders(source=STORE, destination="out"), filter=Filter(include=("c",)),
        retries=3,
    )  # fmt: skip

    def refuse(data):
        if data["state"] == "delivered":
            shop.refused = ("DELETE",)
            one.handle.stop()

    one.before["changed"] = refuse
    assert one.run() == Result(stopped=True, left=True)
    shop.refused = ()
    assert one.states() == {"c": "delivered"}
    one.before = {}
    assert one.run(attempt=2) == OVER
    assert one.states() == {"c": "successful"}
    assert shop.content("/in/c") is None
    assert tree(one.root) == {"out/c": b"content"}


@pytest.mark.parametrize(
    ("refused", "fault", "state"), [(("HEAD", "GET"), True, "waiting"), (("HEAD",), False, "failed")]
)
def test_86_93_a_source_that_cannot_be_reached_amid_the_files_is_the_tasks_fault(task, store, refused, fault, state):
    """Items 86 and 93: files behind are not blamed where the folder is away; one that alone cannot be read is."""
    shop, order = store
    first, second = (f"{len(refused)}{name}" for name in "ab")
    for name in (first, second):
        shop.put(f"/in/{name}", b"content")
    chosen = Folders(source=STORE, destination="out")
    one = task(Action.MOVE, order=order, folders=chosen, filter=Filter(include=(first, second)))

    def refuse(data):
        if data["path"] == first and data["state"] == "successful":
            shop.refused = refused

    one.before["changed"] = refuse
    try:
        result = one.run()
    finally:
        shop.refused = ()
    assert bool(result.fault) is fault
    assert one.states() == {first: "successful", second: state}
    assert one.files[1].tries == 0
    assert shop.content(f"/in/{second}") == b"content"


def test_86_93_a_look_at_a_source_that_fails_once_is_repeated(task, store):
    """Item 86: what may heal is tried again up to Retries times, the look at a source too."""
    shop, order = store
    shop.put("/in/e", b"content")
    chosen = Folders(source=STORE, destination="out")
    one = task(Action.MOVE, order=order, folders=chosen, filter=Filter(include=("e",)), retries=2)
    shop.once = True
    one.before["may_go_on"] = lambda _data: setattr(shop, "refused", ("HEAD",))
    assert one.run() == OVER
    assert one.states() == {"e": "successful"}


def test_86_90_the_head_of_a_protected_file_is_read_again(task, store, machines):
    """Items 86 and 90: a store that is busy for a moment does not make a protected file a failed one."""
    shop, order = store
    given = {"order": {**order, **machines.here.order()}, "id_name": "edge.iic"}
    seal = task(
        Action.AUTO_PROTECT, files={"in/p": b"content"}, folders=Folders(source="in", destination=STORE),
        folder=machines.folder / "1", **given,
    )  # fmt: skip
    assert seal.run() == OVER
    chosen = {"folders": Folders(source=STORE, destination="out"), "filter": Filter(include=("p.*",))}
    one = task(Action.AUTO_UNPROTECT, folder=machines.folder / "2", retries=1, **chosen, **given)

    def refuse(_data):
        shop.refused, shop.once = ("GET",), True

    one.before["may_go_on"] = refuse
    assert one.run() == OVER
    assert one.states() == {"p.sealed": "successful"}
    assert tree(one.root) == {"out/p": b"content"}


def test_86_an_unfinished_file_whose_time_was_over_is_swept_where_it_could_not_be_removed_at_once(task, store):
    """Items 86 and 88: what a busy store does not remove while a file fails is removed after the execution."""
    shop, order = store
    one = task(files={"in/f": b"x"}, order=order, folders=Folders(source="in", destination=STORE), time_limit_s=1)

    def hold(data):
        if data["state"] == "moving":
            began = time.monotonic()
            wait_until(lambda: time.monotonic() - began > 1.1)
            shop.refused = ("DELETE",)

    one.before["changed"] = hold
    try:
        assert one.run() == Result(left=True)
    finally:
        shop.refused = ()
    assert one.states() == {"f": "failed"}
    assert shop.unfinished() == 1
    assert one.sweep() == ""
    assert shop.unfinished() == 0
