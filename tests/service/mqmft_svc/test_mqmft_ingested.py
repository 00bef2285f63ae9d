import pytest
import sqlalchemy as sa

from mqmft_svc import bootstrap
from mqmft_svc.schemas.attributes import Selection
from mqmft_svc.schemas.transferlog import read_message
from mqmft_svc.settings import Settings
from mqmft_svc.store.tables import delivery, monitor
from tests.service.mqmft_svc.mqmft_hub import envelope, started, transfer_id
from tests.unit.mqmft_svc import transferlog_messages as messages


@pytest.fixture
def service(database_url):
    """A service over each kind of database."""
    environ = {"MQMFT_DATABASE_URL": database_url, "MQMFT_COORDINATION_QMGR": "QM1"}
    made = bootstrap.build(Settings.from_env(environ), directory=object(), config={})
    yield made
    made.close()


def record(service, network, *bodies):
    """Record messages of a network in one transaction."""
    with service.database.write() as connection:
        service.operations.recorder.record(connection, [read_message(body, network) for body in bodies])


def shown(service, id_):
    """Return everything that an answer shows of one transfer."""
    return service.operations.transfers.get_transfer(id_, Selection(everything=True)).transfers[0]


def test_198_a_network_changes_its_own_transfers_alone(service):
    """Item 198: a message of another network, and one with the id of a transfer of the hub, have no effect."""
    record(service, "harbour", messages.started())
    record(service, "inland", messages.completed(), messages.progress(50, [messages.item(1)]))
    found = shown(service, messages.ID)
    assert found["status"]["state"] == "started"
    assert found["transferSet"]["item"] == []
    record(service, "harbour", messages.completed())
    assert shown(service, messages.ID)["status"]["state"] == "successful"


def test_198_a_network_cannot_take_the_id_of_a_transfer_of_the_hub(hub):
    """Item 198: what the hub itself moved is told by its events alone."""
    hub.tell(envelope(started(1), 1))
    record(hub.service, "harbour", messages.completed(id_=transfer_id(1)))
    assert shown(hub.service, transfer_id(1))["status"]["state"] == "started"


def test_198_a_network_cannot_say_where_a_transfer_of_the_hub_wrote(hub):
    """Item 198: a monitor would name the hub's transfer as the cause of what it begins for such a file."""
    hub.tell(envelope(started(1), 1))
    with hub.service.database.write() as connection:
        row = {"name": "M", "agent": "A", "document": "{}", "account": "", "created_at": 1}
        connection.execute(sa.insert(monitor), row)
    record(hub.service, "harbour", messages.progress(50, [messages.item(1)], id_=transfer_id(1)))
    with hub.service.database.read() as connection:
        assert connection.execute(sa.select(delivery)).all() == []


def test_180_a_transfer_of_a_network_names_it_where_it_cannot_be_stopped(hub):
    """Item 180: it has not ended, but the agents of the network alone can stop it."""
    record(hub.service, "harbour", messages.started())
    answer = hub.mft(f"/{messages.ID}", method="DELETE", headers={"ibm-mq-rest-csrf-token": ""})
    assert (answer.status_code, answer.json["error"][0]["msgId"]) == (400, "MQWB0976E")
    assert "the MFT network harbour" in answer.json["error"][0]["message"]


def counted(service):
    """Return the counters of files: all, successes, failures, warnings."""
    statistics = shown(service, messages.ID)["statistics"]
    names = ("numberOfFiles", "numberOfFileSuccesses", "numberOfFileFailures", "numberOfFileWarnings")
    return tuple(statistics[name] for name in names)


def test_194_the_files_of_a_running_transfer_are_counted_by_their_items(service):
    """Items 194 and 212: each message tells of its own items, which come in any order and twice."""
    first = messages.progress(50, [messages.item(1), messages.item(2, code=2, supplement="BFGTR0001W: x")], total=4)
    second = messages.progress(60, [messages.item(3, code=1)], index=2, total=4)
    record(service, "mq", second)
    assert counted(service) == (4, 0, 1, 0)
    record(service, "mq", first, messages.started(total=4), messages.status(70, 3, 64, total=4))
    assert counted(service) == (4, 2, 1, 1)
    record(service, "mq", second, first)
    assert counted(service) == (4, 2, 1, 1)
    record(service, "mq", messages.completed(code=20, failures=2, total=4), first)
    assert counted(service) == (4, 2, 2, 0)


def item_states(service):
    """Return the states of the items, in their order."""
    return [one["status"]["state"] for one in shown(service, messages.ID)["transferSet"]["item"]]


@pytest.mark.parametrize("late", [False, True])
def test_194_a_transfer_that_was_stopped_has_only_the_files_that_arrived(service, late):
    """Items 75, 93 and 194: those that are told, in any order; the one on its way was stopped with the transfer."""
    told = [messages.progress(50, [messages.item(1), messages.item(2, code=1)], total=4)]
    end = messages.completed(code=41, total=4)
    record(service, "mq", messages.started(total=4), messages.status(60, 2, 64, total=4))
    for body in (end, *told) if late else (*told, end):
        record(service, "mq", body)
    assert counted(service) == (4, 1, 1, 0)
    assert item_states(service) == ["successful", "failed", "cancelled"]
    assert shown(service, messages.ID)["status"]["description"] == "BFGRP0033I: The transfer was cancelled."


@pytest.mark.parametrize(("code", "state"), [(43, "malformed"), (53, "notAuthorized")])
def test_194_a_transfer_that_was_refused_has_no_successes(service, code, state):
    """Items 75 and 194: no file of it has arrived, whatever its statistics leave out."""
    record(service, "mq", messages.started(total=4), messages.completed(code=code, total=4))
    assert counted(service) == (4, 0, 0, 0)
    status = shown(service, messages.ID)["status"]
    assert (status["state"], status["description"][:10]) == (state, "BFGRP0037I")


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("code", "expected", "outcome"), [(0, (4, 4, 0), "BFGRP0032I"), (40, (4, 0, 4), "BFGRP0034I")])
def test_194_an_end_without_a_total_keeps_what_is_known(service, late, code, expected, outcome):
    """Items 73 to 75, 83 and 212: counters that a message leaves out are not 0, in any order."""
    bodies = [messages.started(total=4), messages.progress(50, [messages.item(1)], total=4, sent=100)]
    end = messages.log("completed", 90, f'<status resultCode="{code}"/>')
    for body in (end, *bodies) if late else (*bodies, end):
        record(service, "mq", body)
    assert counted(service)[:3] == expected
    assert shown(service, messages.ID)["transferSet"]["bytesSent"] == 100
    assert shown(service, messages.ID)["status"]["description"].startswith(outcome)


def test_75_a_transfer_that_failed_before_its_first_file_has_no_successes(service):
    """Item 75: its statistics count no failure, and no file has arrived."""
    record(service, "mq", messages.completed(code=40, supplement="BFGRP0037I: no agent", total=4))
    assert counted(service) == (4, 0, 4, 0)


def test_93_an_item_whose_end_is_not_told_has_that_of_its_transfer(service):
    """Item 93: a status message is the last one about it, or comes after the end; a partial success says nothing."""
    record(service, "mq", messages.started(), messages.completed(), messages.status(95, 0, 64))
    assert item_states(service) == ["successful"]
    other = messages.ID.upper()[:-1] + "2"
    bodies = (messages.completed(code=20, failures=1, id_=other), messages.status(95, 0, 64, id_=other))
    record(service, "mq", *bodies)
    assert shown(service, other)["transferSet"]["item"][0]["status"]["state"] == "inProgress"
