r"""File names that are not UTF-8: moved by their bytes, shown with `\xNN` (54), over both kinds of database."""

import json
import os

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from crossdock.transfers import printing
from mft_common.events import Agent, Side
from mft_common.events.envelope import event_of
from mqmft_svc.store import transfers as store
from mqmft_svc.store.tables import OUTBOX
from tests.servers.processes import wait_until
from tests.servers.sick_sftp import PASSWORD, USER, Calls, SickSftp
from tests.service.mqmft_svc import mqmft_hub
from tests.service.mqmft_svc.managed_hub import ended, recorded, submit, worker

__all__ = ["recorded"]

CONTENTS = {
    b"caf\xe9.csv": b"1",
    "café.csv".encode(): b"2",
    b"\xff\xfe\xed\xb3\xa9.csv": b"3",
    b"d\xe9/x\xf0.csv": b"4",
}
SHOWN = {
    b"caf\xe9.csv": r"caf\xe9.csv",
    "café.csv".encode(): "café.csv",
    b"\xff\xfe\xed\xb3\xa9.csv": r"\xff\xfe\xed\xb3\xa9.csv",
    b"d\xe9/x\xf0.csv": r"d\xe9/x\xf0.csv",
}
DIRECTORY = {"s_type": "directory", "s_recursive": True, "d_type": "directory"}
PATTERN = {"s_recursive": True, "d_type": "directory"}


def contents(folder):
    """Return the files below a folder by the bytes of their names."""
    root = os.fsencode(folder)
    found = {}
    for place, _, names in os.walk(root):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 -- of bytes
            with open(path, "rb") as file:  # noqa: PTH123 -- of bytes
                found[os.path.relpath(path, root)] = file.read()
    return found


@pytest.fixture
def far(tmp_path):
    """A server of files over SFTP."""
    with SickSftp(tmp_path / "far", Calls) as server:
        yield server


@pytest.fixture
def hub(open_hub, runner, tmp_path, far):
    """A hub with agents over folders and over the server; the folder `in` of the first ones has the files."""
    for root in ("quay", "far"):
        for name, content in CONTENTS.items():
            path = tmp_path / root / "in" / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (tmp_path / "yard").mkdir()
    endpoint = {"url": f"sftp://{USER}@127.0.0.1:{far.port}/", "password": {"env": "PASSWORD"}}
    agents = {"FAR": "endpoint:far", "QUAY": "file:quay", "YARD": "file:yard"}
    config = {
        "ibm_mq_mft": {
            "coordination_qmgr": "QM1",
            "agents": {name: {"qmgr": "QM1", "root": root} for name, root in agents.items()},
        },
        "endpoints": {"far": {**endpoint, "host_key": far.host_key}},
    }
    return open_hub(config, {"PASSWORD": PASSWORD}, runner=runner)


def answer_of(hub, id_):
    """Return a transfer, from an answer that is JSON in UTF-8 and has no half of a surrogate pair."""
    body = hub.mft(f"/{id_}?attributes=*").data
    assert b"\\ud" not in body
    return json.loads(body.decode("utf-8"))["transfer"][0]


def paths(found, side):
    """Return the paths of a side of the items."""
    return sorted(item[side]["file"]["path"] for item in found["transferSet"]["item"])


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(("source", "destination"), [("QUAY", "YARD"), ("FAR", "YARD"), ("QUAY", "FAR")])
@pytest.mark.parametrize(("name", "more"), [("in", DIRECTORY), ("in/*.csv", PATTERN)])
def test_54_a_name_that_is_not_utf_8_is_moved_by_its_bytes_and_shown_with_each_of_them(
    hub, tmp_path, source, destination, name, more
):
    """Items 54 and 218: in answers, events and the lines of `transfer show`; by directories and wildcards."""
    id_ = submit(hub, (name, "out", more), source=source, destination=destination)
    with worker(hub):
        ended(hub, id_)
    found = answer_of(hub, id_)
    assert (found["status"]["state"], found["statistics"]["numberOfFileSuccesses"]) == ("successful", 4)
    assert paths(found, "source") == sorted(f"in/{shown}" for shown in SHOWN.values())
    assert paths(found, "destination") == sorted(f"out/{shown}" for shown in SHOWN.values())
    assert contents(tmp_path / destination.lower() / "out") == CONTENTS
    assert contents(tmp_path / source.lower() / "in") == CONTENTS
    with hub.service.database.read() as connection:
        texts = list(connection.execute(sa.select(OUTBOX.table.c.data)).scalars())
        record = store.find(connection, id_)
        items = store.items(connection, [record.arrival])[record.arrival]
    assert any(r"caf\\xe9.csv" in text for text in texts)
    assert not any(r"\udc" in text for text in texts)
    lines = printing.transfer(record, items)
    assert all(f"in/{shown}" in lines and f"out/{shown}" in lines for shown in SHOWN.values())
    lines.encode("utf-8")


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(("source", "destination"), [("QUAY", "YARD"), ("FAR", "YARD"), ("QUAY", "FAR")])
def test_54_what_is_said_about_a_name_that_is_not_utf_8_has_its_bytes(hub, tmp_path, source, destination):
    """Items 54 and 221: the description of an item and the line of the log, where the destination has such a file."""
    for name in CONTENTS:
        path = tmp_path / destination.lower() / "out" / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"before")
    id_ = submit(
        hub, ("in/?????.csv", "out", PATTERN), ("in/caf*", "out", PATTERN), source=source, destination=destination
    )
    with capture_logs() as lines, worker(hub):
        ended(hub, id_)
        wait_until(lambda: any(line["event"] == "transfer.ended" for line in lines), what="the line of the log")
    found = answer_of(hub, id_)
    texts = [item["status"]["description"] for item in found["transferSet"]["item"]]
    assert found["status"]["state"] == "failed"
    assert sum(r"caf\xe9.csv" in text for text in texts) == 1
    assert sum("café.csv" in text for text in texts) == 1
    assert any(SHOWN[b"\xff\xfe\xed\xb3\xa9.csv"] in line.get("reason", "") for line in lines)
    assert set(contents(tmp_path / destination.lower() / "out").values()) == {b"before"}


@pytest.mark.parametrize("protocol", ["http-mft", "diplomat", "data-protector"])
def test_54_events_of_other_services_are_recorded_with_each_byte_of_a_name(hub, protocol):
    """Items 54 and 203: whatever names they have, the events are UTF-8, and so is the record."""
    name = "/in/" + os.fsdecode(b"caf\xe9 \xff.csv")
    item = mqmft_hub.file_item(source=Side(path=name), destination=Side(path=name), description=f"{name}: is large")
    event = mqmft_hub.ended(1, protocol=protocol, source_agent=Agent(name="DIPLOMAT"), items=(item,))
    text = event.to_json()
    text.encode("utf-8")
    hub.tell(mqmft_hub.envelope(event_of(event.TYPE, text), 1))
    (found,) = answer_of(hub, event.transfer_id)["transferSet"]["item"]
    assert found["source"]["file"]["path"] == found["destination"]["file"]["path"] == r"/in/caf\xe9 \xff.csv"
    assert found["status"]["description"] == r"/in/caf\xe9 \xff.csv: is large"
