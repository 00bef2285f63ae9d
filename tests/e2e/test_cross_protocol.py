"""The life of one file across protocols, in a hub that was started as users start it."""

import hashlib

import requests
import yaml

from tests.e2e.clients import HttpMft
from tests.e2e.configurations import OWN
from tests.servers.hub import crossdock
from tests.servers.monitor_bodies import body
from tests.servers.processes import wait_until

CONTENT = b"one file, four protocols\n" * 1000
CONFIG = {
    **OWN,
    "accounts": {
        "ada": {
            "password": {"file": "secret"},
            "grants": {"http_mft": {"contract": "std"}, "ibm_mq_mft": {"roles": ["MFTWebAdmin"]}},
        }
    },
    "transactions": [
        {
            "name": "arrivals",
            "direction": "inbound",
            "source": {"url": "filestore:/dock", "files": ["*"]},
            "destination": {"url": "file:quay/in"},
            "trigger": {"stored": "filestore:/dock", "files": ["*.csv"]},
        }
    ],
    "ibm_mq_mft": {
        "coordination_qmgr": "QM1",
        "agents": {name: {"qmgr": "QM1", "root": f"file:{name.lower()}"} for name in ("QUAY", "YARD")},
    },
}


def test_a_file_goes_on_from_protocol_to_protocol_and_each_transfer_names_its_cause(start, tmp_path):
    """An upload by HTTP starts a Diplomat job, whose file starts a managed transfer; one list shows all three."""
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(CONFIG))
    hub = start("--config", str(tmp_path / "own.yaml"), demo=False)
    (hub.data / "quay/in").mkdir(parents=True)
    rest = requests.Session()
    rest.auth = ("ada", "s3cret")
    mft = f"{hub.url}/ibmmq/rest/v3/admin/mft"
    condition = {"type": "noChangeInSize", "noFileSizeChangePollCount": 2, "includePattern": "*.csv"}
    made = rest.post(
        f"{mft}/monitor",
        json=body(triggerCondition=condition),
        headers={"ibm-mq-rest-csrf-token": ""},
        timeout=20,
    )
    assert made.status_code == 201, made.text
    assert rest.get(made.headers["Location"], timeout=20).json()["monitor"][0]["state"] == "started"
    client = HttpMft(hub.url, "ada", "s3cret")
    assert client.put("dock/goods.csv", CONTENT).status_code == 201

    def ended():
        found = rest.get(f"{mft}/transfer", params={"attributes": "*"}, timeout=20).json()["transfer"]
        return found if len(found) == 3 and all(one["statistics"]["endTime"] for one in found) else None

    managed, job, upload = wait_until(ended, within=60, what="three transfers")
    assert (hub.data / "yard/got/goods.csv").read_bytes() == CONTENT
    assert [one["status"]["state"] for one in (upload, job, managed)] == ["successful"] * 3
    assert [one["sourceAgent"]["name"] for one in (upload, job, managed)] == ["CLIENT", "DIPLOMAT", "QUAY"]
    assert (managed["originator"]["userId"], managed["job"]["name"]) == ("ada", "WATCH")
    digests = {"md5": hashlib.md5(CONTENT).hexdigest(), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    for one in (upload, job, managed):
        (item,) = one["transferSet"]["item"]
        checksum = item["destination"]["checksum"]
        assert checksum["value"] == digests[checksum["method"]].upper()
        assert item["destination"]["file"]["size"] == len(CONTENT)
    assert "crossdock.caused_by" not in upload["userProperties"]
    assert job["userProperties"]["crossdock.caused_by"] == upload["id"]
    assert managed["userProperties"] == {"crossdock.caused_by": job["id"]}
    listed = crossdock("monitor", "list", "--data", hub.data, cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "WATCH" in listed.stdout
    assert hub.stop() == 0
