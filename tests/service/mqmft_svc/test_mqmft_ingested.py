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
