import pytest

from mqmft_svc import bootstrap
from mqmft_svc.schemas.attributes import Selection
from mqmft_svc.schemas.transferlog import read_message
from mqmft_svc.settings import Settings
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
