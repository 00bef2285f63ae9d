"""A transfer that a monitor began names the transfer that wrote its file."""

import dataclasses

import pytest

from mft_common.events import Agent
from tests.servers.monitor_bodies import body, config
from tests.servers.monitored import create, transfers
from tests.service.mqmft_svc.mqmft_hub import ended, envelope, file_item

AGENTS = {"QUAY": "file:quay", "YARD": "file:yard", "STORE": "filestore:/dock", "DRY": "endpoint:dock/dry"}
ENDPOINTS = {"dock": {"url": "file:the/dock"}}


@pytest.fixture
def hub(open_hub, runner):
    return open_hub(config(AGENTS, endpoints=ENDPOINTS), runner=runner)


@pytest.fixture
def polls(open_polls, hub):
    return open_polls(hub)


def delivered(hub, number, path, *, agent="DIPLOMAT", protocol="diplomat", size=3, state="successful"):
    """Record a transfer that has written a file."""
    item = file_item(state=state)
    item = dataclasses.replace(item, destination=dataclasses.replace(item.destination, path=path, size=size))
    event = ended(number, protocol=protocol, destination_agent=Agent(name=agent), items=(item,))
    hub.tell(envelope(event, number, time=event.ended_at))
    return event.transfer_id


@pytest.mark.parametrize(
    ("agent", "folder", "changes"),
    [
        ("QUAY", "quay/in", {"path": "quay/in/x"}),
        ("QUAY", "quay/in", {"path": "{data}/quay/in/x"}),
        ("QUAY", "quay/in", {"path": "in/x", "agent": "QUAY", "protocol": "ibm-mq-mft"}),
        ("DRY", "the/dock/dry/in", {"path": "dock/dry/in/x"}),
        ("DRY", "the/dock/dry/in", {"path": "the/dock/dry/in/x"}),
    ],
)
def test_203_a_monitor_names_the_transfer_whose_file_it_has_found(hub, polls, tmp_path, agent, folder, changes):
    """The last one that wrote that place, whichever protocol's it was; by `caused_by` of its events."""
    create(hub, body(agentName=agent, transferDefinition__sourceAgent__name=agent))
    changes = {**changes, "path": changes["path"].format(data=tmp_path)}
    delivered(hub, 1, **changes)
    cause = delivered(hub, 2, **changes)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "x").write_bytes(b"123")
    polls.poll()
    managed = next(one for one in transfers(hub) if one["job"]["name"] == "WATCH")
    assert managed["userProperties"] == {"crossdock.caused_by": cause}
    with hub.service.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT data FROM outbox").scalars().all()
    assert any(f'"caused_by":"{cause}"' in str(row).replace(" ", "") for row in rows)


def test_203_54_a_file_whose_name_is_not_utf_8_has_its_cause(hub, polls, tmp_path):
    """The events have the bytes of its name as escapes, and the folder has the bytes."""
    create(hub, body())
    cause = delivered(hub, 1, "quay/in/caf\udce9")
    (tmp_path / "quay/in").mkdir(parents=True)
    (tmp_path / "quay/in/caf\udce9").write_bytes(b"123")
    polls.poll()
    managed = next(one for one in transfers(hub) if one["job"]["name"] == "WATCH")
    assert managed["userProperties"] == {"crossdock.caused_by": cause}


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "quay/in/y"},
        {"path": "quay/in/x", "size": 4},
        {"path": "quay/in/x", "state": "failed"},
        {"path": "in/x", "agent": "YARD", "protocol": "ibm-mq-mft"},
    ],
)
def test_203_a_file_that_no_transfer_wrote_has_no_cause(hub, polls, tmp_path, changes):
    """Another name, another size, another agent, or one that did not arrive."""
    create(hub, body())
    delivered(hub, 1, **changes)
    (tmp_path / "quay/in").mkdir(parents=True)
    (tmp_path / "quay/in/x").write_bytes(b"123")
    polls.poll()
    managed = next(one for one in transfers(hub) if one["job"]["name"] == "WATCH")
    assert managed["userProperties"] == {}


def test_203_what_wrote_a_file_is_known_for_a_week_and_where_there_is_a_monitor(hub):
    """The notes do not grow with the history."""

    def known():
        with hub.service.database.read() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM delivery").scalar()

    delivered(hub, 1, "quay/in/x")
    assert known() == 0
    create(hub, body())
    delivered(hub, 2, "quay/in/y")
    assert known() == 1
    assert hub.service.operations.monitors.purge() == 1
    assert known() == 0
