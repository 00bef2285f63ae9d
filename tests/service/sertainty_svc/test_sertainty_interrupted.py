"""Executions whose worker stops, or whose time is over, while the source of a file is handled (73, 86, 87, 88)."""

import contextlib
from dataclasses import asdict

import pytest

from sertainty_svc.domain.tasks import Action, AfterSuccess, Filter, Folders
from sertainty_svc.operations.running.order import Result
from tests.servers.diplomat_jobs import tree
from tests.service.mft_common.filestore_doubles import RealFilestore
from tests.service.mft_common.test_transfer_filestore import by_socket, new_lab
from tests.service.sertainty_svc.execution_worker import children, task

__all__ = ["children", "task"]

OVER = Result()
STORE = "filestore:/in"


class Busy(RealFilestore):
    """filestore-svc behind a door that answers 503 to requests of the method `refused`."""

    refused = ""

    def __call__(self, environ, start_response):
        """Answer a request as WSGI says."""
        if environ["REQUEST_METHOD"] != self.refused:
            return super().__call__(environ, start_response)
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
            shop.refused = "DELETE"
            one.handle.stop()

    one.before["changed"] = refuse
    assert one.run() == Result(stopped=True, left=True)
    shop.refused = ""
    assert one.states() == {"c": "delivered"}
    one.before = {}
    assert one.run(attempt=2) == OVER
    assert one.states() == {"c": "successful"}
    assert shop.content("/in/c") is None
    assert tree(one.root) == {"out/c": b"content"}
