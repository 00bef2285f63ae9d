"""Receivers of calls that do not answer hold up neither transfers without calls nor those of other receivers (234)."""

import json

import pytest
import sqlalchemy as sa

from mqmft_svc.domain.calls import CallState, Try
from mqmft_svc.operations.managed.call_work import TransferCallWork
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import TRANSFER_CALL_WORKERS, WORKERS, managed
from tests.servers.answering import Answering
from tests.servers.processes import wait_until
from tests.service.mqmft_svc.managed_hub import dispatching, ended, row, stop, submit, whole, worker
from tests.service.mqmft_svc.test_mqmft_transfer_calls import bodies, call, environ, hub, make

__all__ = ["environ", "hub", "make"]


@pytest.fixture
def silent():
    """Return a function that makes receivers which never answer."""
    made = []

    def new():
        made.append(Answering())
        made[-1].gate.clear()
        return made[-1]

    yield new
    for one in made:
        one.close()


def statuses(hub, ids):
    """Return which of these transfers run."""
    return [id_ for id_ in ids if row(hub, id_).status == "running"]


@pytest.mark.parametrize("name", ["preSourceCall", "postDestinationCall"])
def test_234_a_silent_receiver_of_many_transfers_holds_up_none_of_another_one(hub, server, silent, name):
    """More transfers than a worker moves at once wait for its answers; four of them ask it at a time."""
    quiet = silent()
    ids = [submit(hub, ("a", f"f{number}"), **{name: call(quiet, timeout=600)}) for number in range(40)]
    with worker(hub):
        wait_until(lambda: len(quiet.requests) == 4, what="the calls of the silent receiver")
        plain, other = submit(hub, ("a", "plain")), submit(hub, ("a", "other"), **{name: call(server)})
        for id_ in (plain, other):
            assert ended(hub, id_)["status"]["state"] == "successful"
        assert [body["id"] for body in bodies(server)] == [other]
        wait_until(lambda: len(statuses(hub, ids)) == 4, what="the others, which are nobody's while they wait")
        quiet.gate.set()
        assert {ended(hub, id_)["status"]["state"] for id_ in ids} == {"successful"}
    assert sorted(body["id"] for body in bodies(quiet)) == sorted(ids)


def test_234_many_silent_receivers_hold_up_no_transfer_without_calls(hub, silent):
    """Every place for calls is taken, the sixteenth is the last, and bytes move."""
    ids = [
        submit(hub, ("a", f"f{number}"), preSourceCall=call(quiet, timeout=600))
        for quiet in [silent() for _ in range(5)]
        for number in range(4)
    ]
    with worker(hub):
        wait_until(lambda: len(statuses(hub, ids)) == 16, what="calls at every place")
        assert ended(hub, submit(hub, ("a", "plain")))["status"]["state"] == "successful"
        assert len(statuses(hub, ids)) == 16
        for id_ in ids:
            stop(hub, id_)
        assert {ended(hub, id_, within=10)["status"]["state"] for id_ in ids} <= {"cancelled", "deleted"}


def test_234_between_two_tries_a_transfer_takes_no_place(hub, server):
    """The transfer is nobody's for an hour, its state is `started`, and no worker that stops or dies loses it."""
    server.answers = [(500, {}, b"")]
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server, retryCount=1, retryWait=3600))
    with worker(hub):
        wait_until(lambda: json.loads(row(hub, id_).calls), what="the end of a try")
        assert (row(hub, id_).owner, row(hub, id_).retries) == ("", 0)
        assert row(hub, id_).due_at > row(hub, id_).began_at + 3_500_000
        found = whole(hub, id_)
        assert (found["status"]["state"], found["statistics"]["retryCount"]) == ("started", 0)
        with hub.service.database.write() as connection:
            assert store.queued_of(connection, "QUAY") == 0
            store.update(connection, id_, due_at=0)
        assert ended(hub, id_)["status"]["state"] == "successful"
    assert len(server.requests) == 2


def test_234_a_transfer_whose_caller_dies_is_tried_again_by_another_worker(hub, server):
    """Its lease has run out: `retryCount` is 1, and the call is made by the worker that is there."""
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server))
    with hub.service.database.write() as connection:
        assert store.give(connection, id_, "dead", 1)
        TRANSFER_CALL_WORKERS.sign_in(connection, "dead", 60.0)
        connection.execute(sa.text("UPDATE leases SET until = 0"))
    with worker(hub):
        found = ended(hub, id_)
    assert (found["status"]["state"], found["statistics"]["retryCount"]) == ("successful", 1)
    assert len(server.requests) == 1


def test_234_a_transfer_of_a_former_version_makes_its_calls_before_it_moves(hub, server):
    """Such a row names no receiver: who takes it to move its files finds out that a call comes first."""
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server))
    failed = submit(hub, ("a", "b"), preSourceCall=call(server))
    last = Try(status=500, reason="the receiver answered 500")
    state = json.dumps({"preSourceCall": CallState(tries=1, outcome="failure", last=last).to_json()})
    with hub.service.database.write() as connection:
        connection.execute(sa.update(managed).values(receiver=""))
        store.update(connection, failed, calls=state)
    with worker(hub):
        assert ended(hub, id_)["status"]["state"] == "successful"
        found = ended(hub, failed)
    assert (found["status"]["state"], "answered 500" in found["status"]["description"]) == ("failed", True)
    assert [body["id"] for body in bodies(server)] == [id_]


def test_234_a_worker_of_a_former_version_keeps_the_transfer_whose_call_it_makes(hub, server):
    """The former worker makes calls as the worker that moves the files, whose lease lasts."""
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server))
    with hub.service.database.write() as connection:
        WORKERS.sign_in(connection, "former", 60.0)
        assert store.give(connection, id_, "former", 1)
    with dispatching(hub.service.transfer_call_dispatcher()) as _:
        service = hub.service
        work = TransferCallWork(service.database, service.runner, hosts=(), now=lambda: 1)
        assert work.recover() == 0
    assert (row(hub, id_).owner, row(hub, id_).retries) == ("former", 0)


def test_234_a_stopped_agent_gets_no_call_for_what_has_not_begun_and_those_behind_the_last_item(hub, server):
    """A transfer that has moved goes on to its end; one that waits, waits with its calls."""
    server.gate.clear()
    moved = submit(hub, ("a", "a"), postSourceCall=call(server, "/1"), postDestinationCall=call(server, "/2"))
    with worker(hub):
        wait_until(lambda: server.requests, what="the first call behind the last item")
        with hub.service.database.write() as connection:
            connection.execute(sa.text("UPDATE agent SET stopped_at = 1"))
        waits = submit(hub, ("a", "b"), preSourceCall=call(server, "/3"))
        server.gate.set()
        assert ended(hub, moved)["status"]["state"] == "successful"
        assert row(hub, waits).began_at is None
        with hub.service.database.write() as connection:
            connection.execute(sa.text("UPDATE agent SET stopped_at = NULL"))
        assert ended(hub, waits)["status"]["state"] == "successful"
    assert [path for _, path, _, _ in server.requests] == ["/2", "/1", "/3"]
