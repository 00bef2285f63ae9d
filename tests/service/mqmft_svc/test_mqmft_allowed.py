"""The list `allow` of an agent holds for every write that concerns it (15, 180, 186, 189)."""

import pytest

from tests.servers.monitor_bodies import body, config
from tests.servers.monitored import TOKEN
from tests.service.mqmft_svc.mqmft_hub import caller

MONITOR = "/ibmmq/rest/v3/admin/mft/monitor"
OWNER, OTHER = caller("treasury"), caller("clerk", roles=("MQWebUser",))
LATER = {"startTime": "2099-06-01T06:00"}


@pytest.fixture
def hub(open_hub):
    """A hub whose agent QUAY takes requests of the account `treasury` alone."""
    given = config()
    given["ibm_mq_mft"]["agents"]["QUAY"]["allow"] = ["treasury"]
    return open_hub(given)


def refusal(answer):
    """Return status and id of an answer, and its message."""
    error = answer.json["error"][0]
    return answer.status_code, error["msgId"], error["message"]


@pytest.mark.parametrize(("source", "destination"), [("QUAY", "YARD"), ("YARD", "QUAY")])
@pytest.mark.parametrize("schedule", [{}, {"scheduleTransfer": LATER}])
def test_180_a_transfer_is_stopped_only_by_those_whom_its_agents_serve(hub, source, destination, schedule):
    """Item 180: 403 for others, whatever their role, and the transfer waits on."""
    given = {
        "sourceAgent": {"name": source, "qmgrName": "QM1"},
        "destinationAgent": {"name": destination, "qmgrName": "QM1"},
        "transferSet": {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}]},
        **schedule,
    }
    answer = hub.mft(method="POST", json=given, headers=TOKEN, identity=OWNER)
    path = "/" + answer.headers["Location"].rpartition("/")[2]
    for other in (OTHER, caller("boss")):
        status, id_, message = refusal(hub.mft(path, method="DELETE", headers=TOKEN, identity=other))
        assert (status, id_) == (403, "MQWB0103E")
        assert "QUAY" in message
        assert other.account in message
    assert hub.mft(path).json["transfer"][0]["status"]["state"] == "started"
    assert hub.mft(path, method="DELETE", headers=TOKEN, identity=OWNER).status_code == 202
    assert hub.mft(path).json["transfer"][0]["status"]["state"] == "deleted"


def test_180_the_originator_stops_a_transfer_whose_agent_serves_the_account_no_more(hub, open_hub):
    """Item 180: what was accepted can be taken back."""
    given = {**body()["transferDefinition"], "scheduleTransfer": LATER}
    given["transferSet"] = {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}]}
    answer = hub.mft(method="POST", json=given, headers=TOKEN, identity=OWNER)
    path = "/" + answer.headers["Location"].rpartition("/")[2]
    closed = config()
    closed["ibm_mq_mft"]["agents"]["QUAY"]["allow"] = []
    later = open_hub(closed)
    assert later.mft(path, method="DELETE", headers=TOKEN, identity=OWNER).status_code == 202


def test_186_189_a_monitor_is_created_and_deleted_only_by_those_whom_its_agent_serves(hub):
    """Items 186, 189: 403 for others, also for its history, which would make it trigger again."""
    assert refusal(hub.ask(MONITOR, "POST", json=body(), headers=TOKEN, identity=OTHER))[:2] == (403, "MQWB0103E")
    assert hub.ask(MONITOR, "POST", json=body(), headers=TOKEN, identity=OWNER).status_code == 201
    for path in ("/watch", "/watch/history"):
        answer = hub.ask(f"{MONITOR}{path}", "DELETE", headers=TOKEN, identity=OTHER)
        assert refusal(answer)[:2] == (403, "MQWB0103E")
    for path in ("/watch/history", "/watch"):
        assert hub.ask(f"{MONITOR}{path}", "DELETE", headers=TOKEN, identity=OWNER).status_code == 204
