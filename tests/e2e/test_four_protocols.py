"""One file through all four protocols of a hub that was started as users start it."""

import hashlib
import itertools

import yaml

from tests.e2e.clients import HttpMft, IbmMq, Operator
from tests.servers.processes import wait_until
from tests.servers.task_documents import document, task

CONTENT = b"one file, four protocols, and nobody reads it on its way\n" * 5000
CONFIG = {
    "accounts": {
        "ada": {
            "password": {"file": "secret"},
            "grants": {"http_mft": {"contract": "std"}, "ibm_mq_mft": {"roles": ["MFTWebAdmin"]}},
        },
        "operator": {"grants": {"data_protector": {"role": "full", "trusted": True, "trusted_from": []}}},
    },
    "http_mft": {
        "contracts": {"std": {}},
        "folders": {
            "/dock": {"access": {"ada": ["list", "write"]}},
            "/quay": {"access": {}},
            "/sealed": {"access": {"ada": ["list", "read"]}},
        },
    },
    "transactions": [
        {
            "name": "arrivals",
            "direction": "inbound",
            "source": {"url": "filestore:/dock", "files": ["*"]},
            "destination": {"url": "filestore:/quay"},
            "trigger": {"stored": "filestore:/dock", "files": ["*.csv"]},
        }
    ],
    "ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": {}},
    "data_protector": {"folders": ["harbour"]},
}
PROTECTS = task(
    "protects", action="AutoProtect", ID="own.iic", source="filestore:/quay", destination="filestore:/sealed",
    SettleSeconds="0.2",
)  # fmt: skip
RESTORES = task("restores", action="AutoUnprotect", source="filestore:/sealed", destination="out", SettleSeconds="0.2")
KEEPS = task("keeps", action="Move", source="out", destination="kept", SettleSeconds="0.2")


def test_84_111_one_file_goes_through_all_four_protocols_and_each_transfer_names_its_cause(start, tmp_path):
    """An upload starts a job, its file a task that protects it, that one a task that restores it for a third."""
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "data/harbour/out").mkdir(parents=True)
    hub = start("--config", str(tmp_path / "own.yaml"), demo=False)
    operator = Operator(hub)
    wait_until(lambda: operator("agentGetStatus")[0] == "Active", within=20, what="the agent")
    operator("configCreate", operator.CONFIG)
    operator("configNewID", operator.CONFIG, "own.iic")
    operator("configSaveTasks", operator.CONFIG, document(PROTECTS, RESTORES, KEEPS))
    operator("configActivate", operator.CONFIG)
    client = HttpMft(hub.url, "ada", "s3cret")
    assert client.put("dock/goods.csv", CONTENT).status_code == 201
    mq = IbmMq(hub.url, "ada", "s3cret")

    def ended():
        answer = mq.http.get(mq.url.replace("/v2/", "/v3/"), params={"attributes": "*"}, timeout=20)
        found = answer.json()["transfer"]
        return found if len(found) == 5 and all(one["statistics"]["endTime"] for one in found) else None

    chain = wait_until(ended, within=60, what="five transfers")[::-1]
    assert (hub.data / "harbour/kept/goods.csv").read_bytes() == CONTENT
    assert client.names("sealed") == ["goods.csv.sealed"]
    sealed = client.get("sealed/goods.csv.sealed").content
    assert [one["status"]["state"] for one in chain] == ["successful"] * 5
    assert [one["sourceAgent"]["name"] for one in chain] == ["CLIENT", "DIPLOMAT"] + ["DATAPROTECTOR"] * 3
    assert "crossdock.caused_by" not in chain[0]["userProperties"]
    for cause, effect in itertools.pairwise(chain):
        assert effect["userProperties"]["crossdock.caused_by"] == cause["id"]
    plain, secret = (hashlib.sha256(content).hexdigest().upper() for content in (CONTENT, sealed))
    items = [one["transferSet"]["item"][0] for one in chain]
    assert [item["destination"]["checksum"]["value"] for item in items] == [plain, plain, secret, plain, plain]
    assert [item["source"]["checksum"]["value"] for item in items[2:]] == [plain, secret, plain]
    sources = [item["source"]["file"]["path"] for item in items[2:]]
    assert sources == ["filestore:/quay/goods.csv", "filestore:/sealed/goods.csv.sealed", "out/goods.csv"]
    listed = {one["id"]: one["status"]["state"] for one in mq.transfers()}
    assert listed == {one["id"]: "successful" for one in chain}
    assert hub.stop() == 0
