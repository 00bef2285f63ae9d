"""A hub that hides the transfers from before its start, started, killed and replaced as users do it."""

import requests
import yaml

from tests.servers.hub import crossdock
from tests.servers.made_secrets import secret

PASSWORD = secret("password-of-mftadmin")
CONFIG = {
    "accounts": {"mftadmin": {"password": {"file": "secret"}, "grants": {"ibm_mq_mft": {"roles": ["MFTWebAdmin"]}}}},
    "ibm_mq_mft": {
        "coordination_qmgr": "QM1",
        "agents": {name: {"qmgr": "QM1", "root": f"file:{name.lower()}"} for name in ("AGENT1", "AGENT2")},
    },
}
CSRF = {"ibm-mq-rest-csrf-token": ""}
TOTAL = "ibm-mq-rest-mft-total-transfers"
BODY = {
    "sourceAgent": {"name": "AGENT1", "qmgrName": "QM1"},
    "destinationAgent": {"name": "AGENT2", "qmgrName": "QM1"},
    "transferSet": {"item": [{"source": {"name": "none"}, "destination": {"name": "none"}}]},
}


def ask(hub, path="", method="GET", **options):
    """Ask the API as a partner does."""
    address = f"{hub.url}/ibmmq/rest/v3/admin/mft/transfer{path}"
    return requests.request(method, address, auth=("mftadmin", PASSWORD), headers=CSRF, timeout=10, **options)


def post(hub):
    """Submit a transfer, and return its id."""
    answer = ask(hub, method="POST", json=BODY)
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def shown(hub):
    """Return the ids of the list and the total."""
    answer = ask(hub)
    return {one["id"] for one in answer.json()["transfer"]}, int(answer.headers[TOTAL])


def test_200_a_restarted_hub_shows_what_began_since(start, tmp_path):
    """Item 200: killed and started again at once it shows nothing older, in each of its processes, and deletes none."""
    (tmp_path / "secret").write_text(PASSWORD)
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(CONFIG))
    options = ("--workers", "2", "--config", file)
    hub = start(*options, demo=False, env={"MQMFT_CACHE_RESET_ON_START": "1"})
    old = post(hub)
    assert shown(hub) == ({old}, 1)
    hub.kill()
    hub.start()
    assert [shown(hub) for _ in range(10)] == [(set(), 0)] * 10
    assert ask(hub, f"/{old}").status_code == 404
    new = post(hub)
    before = hub.rows("mqmft", "SELECT since FROM visible_since")
    # The web processes are replaced.
    applied = crossdock("apply", file, "--data", hub.data, cwd=tmp_path)
    assert applied.returncode == 0, applied.stderr
    assert [shown(hub) for _ in range(10)] == [({new}, 1)] * 10
    assert hub.rows("mqmft", "SELECT since FROM visible_since") == before
    listed = crossdock("transfer", "list", "--format", "json", "--data", hub.data, cwd=tmp_path)
    assert old in listed.stdout
    hub.stop()
    again = start(*options, demo=False)
    assert shown(again) == ({old, new}, 2)
