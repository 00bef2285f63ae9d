"""The states of a managed transfer, each reached through its cause (4.C), over both kinds of database."""

import dataclasses
import itertools

import asyncssh
import pytest
import sqlalchemy as sa

from mft_common.events import Envelope
from mft_common.events.envelope import event_of
from mqmft_svc.store.tables import OUTBOX
from tests.servers.monitor_bodies import body
from tests.servers.monitored import create, transfers
from tests.servers.processes import wait_until
from tests.servers.sick_sftp import PASSWORD, USER, Calls, SickSftp, be_slow
from tests.service.mqmft_svc.managed_hub import ended, recorded, stop, submit, whole, worker
from tests.service.mqmft_svc.mqmft_hub import transfer_id

__all__ = ["recorded"]

SIZE = 32 << 20
KEPT = ("a", "b", {"s_disposition": "delete"})
MISSING = ("missing", "c")
LARGE = ("large", "d")
HELD = ("held", "d")


class Slow(Calls):
    """Refuses to delete files, and sends `large` slowly and `held` not at all until the server is released."""

    def remove(self, path):
        raise asyncssh.SFTPPermissionDenied("files stay here")

    def rename(self, oldpath, newpath):
        raise asyncssh.SFTPPermissionDenied("files stay here")

    posix_rename = rename

    async def open(self, path, pflags, attrs):
        while path.endswith(b"held") and not self.server.released.is_set():
            await be_slow(0.02)
        return super().open(path, pflags, attrs)

    async def read(self, file_obj, offset, size):
        if size > 1 and not self.server.released.is_set():
            await be_slow(0.3)
        return super().read(file_obj, offset, size)


@pytest.fixture
def far(tmp_path):
    """A server of files with `a`, and with `large` and `held`, which arrive once it is released."""
    with SickSftp(tmp_path / "far", Slow) as server:
        (server.root / "a").write_bytes(b"a")
        (server.root / "large").write_bytes(bytes(SIZE))
        (server.root / "held").write_bytes(b"held")
        yield server


@pytest.fixture
def hub(open_hub, runner, tmp_path, far):
    """A hub with agents over a folder, over the server, and one that serves another account alone."""
    (tmp_path / "yard").mkdir()
    (tmp_path / "quay/in").mkdir(parents=True)
    endpoint = {"url": f"sftp://{USER}@127.0.0.1:{far.port}/", "password": {"env": "PASSWORD"}}
    endpoint["host_key"] = far.host_key
    agents = {
        "FAR": {"qmgr": "QM1", "root": "endpoint:far", "maximum_source_transfers": 1},
        "QUAY": {"qmgr": "QM1", "root": "file:quay"},
        "YARD": {"qmgr": "QM1", "root": "file:yard"},
        "CLOSED": {"qmgr": "QM1", "root": "file:quay", "allow": ["treasury"]},
    }
    config = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": agents}, "endpoints": {"far": endpoint}}
    return open_hub(config, {"PASSWORD": PASSWORD}, runner=runner)


def states(found):
    """Return the state of a transfer, and those of its items."""
    return found["status"]["state"], [item["status"]["state"] for item in found["transferSet"]["item"]]


def moves(hub, id_):
    """Return a transfer once bytes of its last item have come."""

    def found():
        one = whole(hub, id_)
        last = one["transferSet"].get("item", [{}])[-1]
        return one if last and last["destination"]["file"]["size"] > 0 else None

    return wait_until(found)


def in_state(hub, id_, state):
    """Return a transfer once it is in a state; the worker tells of it within a second."""
    return wait_until(lambda: whole(hub, id_) if whole(hub, id_)["status"]["state"] == state else None, within=5)


def events_of(hub, id_):
    """Return the events of a transfer so far, in order."""
    table = OUTBOX.table
    with hub.service.database.read() as connection:
        rows = connection.execute(
            sa.select(table).where(table.c.subject.contains(id_)).order_by(table.c.position)
        ).all()
    return [
        Envelope(
            id=row.id, source="mqmft-svc", type=row.type, subject=row.subject, time=row.time,
            data=event_of(row.type, row.data), sequence=row.position,
        )
        for row in rows
    ]  # fmt: skip


def shown_of(hub, number, events):
    """Record events as those of another transfer, and return its document."""
    id_ = transfer_id(number)
    hub.tell(*(dataclasses.replace(one, data=dataclasses.replace(one.data, transfer_id=id_)) for one in events))
    return {**whole(hub, id_), "id": ""}


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("before", "state", "last"),
    [
        ([], "inProgress", "successful"),
        ([KEPT], "inProgressWithWarnings", "successful"),
        ([MISSING], "inProgressWithFailures", "partiallySuccessful"),
        ([KEPT, MISSING], "inProgressWithFailures", "partiallySuccessful"),
    ],
)
def test_215_a_transfer_that_moves_a_file_shows_how_the_files_before_ended(hub, far, before, state, last):
    """Items 74 to 76, 209, 215 and 226: in the record, in the events in whatever order they come, and until the end."""
    id_ = submit(hub, *before, LARGE, source="FAR")
    with worker(hub):
        moves(hub, id_)
        found = in_state(hub, id_, state)
        items = ["failed" if one is MISSING else "successful" for one in before]
        assert states(found) == (state, [*items, "inProgress"])
        assert (found["statistics"]["endTime"], found["status"]["description"]) == ("", "")
        assert found["transferSet"]["startTime"] != ""
        assert 0 < found["transferSet"]["item"][-1]["destination"]["file"]["size"] < SIZE
        counts = {name: found["statistics"][f"numberOfFile{name}"] for name in ("Successes", "Failures", "Warnings")}
        assert counts == {
            "Successes": items.count("successful"), "Failures": items.count("failed"), "Warnings": before.count(KEPT),
        }  # fmt: skip
        (listed,) = hub.mft("?limit=1", version="v2").json["transfer"]
        assert listed["status"]["state"] == state
        running = events_of(hub, id_)
        far.released.set()
        found = ended(hub, id_)
    assert states(found) == (last, [*items, "successful"])
    assert [one.data.state for one in running] == sorted((one.data.state for one in running), key=len)
    assert running[-1].data.state == state
    first = shown_of(hub, 0, running)
    assert first["status"]["state"] == state
    for number, order in enumerate(itertools.permutations(range(len(running[-3:]))), 1):
        again = [*running[:-3], *(running[-3:][place] for place in (*order, order[0]))]
        for one in again:
            shown = shown_of(hub, number, [one])
        assert shown == first
    last_event = events_of(hub, id_)[-1:]
    assert shown_of(hub, 900, last_event)["status"]["state"] == last
    assert shown_of(hub, 900, running)["status"]["state"] == last


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("before", "state"), [(KEPT, "inProgressWithWarnings"), (MISSING, "inProgressWithFailures")]
)  # fmt: skip
def test_226_the_end_of_a_file_is_shown_while_the_next_one_stands_still(hub, before, state):
    """Items 215 and 226: within a second or so, although no byte moves and the child has nothing to report."""
    id_ = submit(hub, before, HELD, source="FAR")
    with worker(hub):
        found = in_state(hub, id_, state)
        assert found["transferSet"]["item"][1]["status"]["state"] in ("started", "inProgress")
        stop(hub, id_)
        assert ended(hub, id_)["status"]["state"] == "cancelled"


@pytest.mark.usefixtures("recorded")
def test_215_one_that_waits_for_an_agent_is_started_and_then_deleted_and_one_that_runs_cancelled(hub):
    """Items 180 and 215: the agent takes one transfer at a time, and somebody stops both."""
    runs, waits = (submit(hub, MISSING, HELD, source="FAR") for _ in range(2))
    with worker(hub):
        in_state(hub, runs, "inProgressWithFailures")
        assert states(whole(hub, waits)) == ("started", ["started", "started"])
        stop(hub, waits)
        assert states(ended(hub, waits)) == ("deleted", ["deleted", "deleted"])
        stop(hub, runs)
        assert states(ended(hub, runs)) == ("cancelled", ["failed", "cancelled"])


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("source", "item", "state"),
    [
        ("FAR", MISSING, "failed"),
        ("QUAY", ("a", "b", {"s_type": "dataset"}), "malformed"),
        ("CLOSED", ("a", "b"), "notAuthorized"),
    ],
)
def test_215_a_transfer_of_which_nothing_arrives_says_why(hub, source, item, state):
    """Items 178 and 215: no file is there, no agent can carry it out, and the agent does not serve the account."""
    id_ = submit(hub, item, source=source)
    with worker(hub):
        assert states(ended(hub, id_)) == (state, [state])


def test_215_a_monitor_whose_definition_is_no_request_makes_a_malformed_transfer(open_polls, hub, tmp_path):
    """Items 188, 215 and 238: a variable that the file has no value for."""
    name = "${FileName{token=9}{separator=_}}"
    create(hub, body(transferDefinition__transferSet__item__0__destination__name=name))
    (tmp_path / "quay/in/x").write_bytes(b"x")
    open_polls(hub).poll()
    (found,) = transfers(hub)
    assert found["status"]["state"] == "malformed"
