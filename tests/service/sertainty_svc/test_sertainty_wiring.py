import subprocess
import threading

import pytest

from mft_common.errors import ConfigError
from mft_common.events import LocalBus
from sertainty_svc import worker
from sertainty_svc.app import create_app
from sertainty_svc.store.tables import APPLIED
from tests.service.sertainty_svc.protector import Hub


def test_the_worker_consumes_the_events_of_the_topology_and_stores_its_heartbeat(hub):
    """The tasks are consumer, maintenance, agent and purge, and the agent's heartbeat begins at once."""
    parts = {
        part.name: part for part in hub.service.background_tasks(LocalBus({"sertainty-svc": hub.service.database}))
    }
    assert {"sertainty-svc-events", "sertainty-svc-agent", "sertainty-svc-log-purge"} <= set(parts)
    hub.now += 60_000
    assert hub.call("agentPing").status == 502
    stop = threading.Event()
    stop.set()
    parts["sertainty-svc-agent"].run(stop)
    assert hub.call("agentPing").status == 1


def test_the_application_is_built_from_the_environment(tmp_path, monkeypatch, log):
    """On a machine of its own everything comes from the environment, and only the gateway gets in."""
    monkeypatch.setenv("SERTAINTY_DATABASE_URL", f"sqlite:///{tmp_path}/s.db")
    monkeypatch.setenv("MFT_DATA", f"{tmp_path}/data")
    with pytest.raises(ConfigError, match="MFT_GATEWAY_URL"):
        create_app()
    monkeypatch.setenv("MFT_GATEWAY_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MFT_INTERNAL_KEYS", "k1,k2")
    client = create_app().test_client()
    assert client.post("/dataprotector", data="<Request/>").status_code == 403
    assert client.get("/readyz").status_code == 200
    with pytest.raises(ConfigError, match="MFT_AMQP_URL"):
        worker.main()


def test_98_a_host_key_that_cannot_be_read_or_made_stops_the_start(tmp_path):
    """Item 98: the problem names the file; a state folder that cannot be written is one, too."""
    with pytest.raises(ConfigError, match=r"given\.pem: the host key cannot be read"):
        Hub(tmp_path, SERTAINTY_HOST_KEY_FILE=str(tmp_path / "given.pem"))
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="the host key cannot be made there"):
        Hub(tmp_path)


def test_98_107_a_running_service_takes_no_folders_that_reach_a_given_key(tmp_path, log):
    """Items 98 and 107: after an apply the former folders stay in force, and the problem is logged."""
    for name in ("keys", "root"):
        (tmp_path / name).mkdir()
    key = tmp_path / "keys/h.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", key], check=True)
    hub = Hub(tmp_path, {"data_protector": {"folders": [str(tmp_path / "root")]}}, SERTAINTY_HOST_KEY_FILE=str(key))
    later = {"data_protector": {"folders": [str(tmp_path / "keys")], "executions": 1}}
    with hub.service.database.write() as connection:
        APPLIED.store(connection, later, tmp_path)
        section = hub.service.follower.refresh(connection)
    assert section.folders == (tmp_path / "root",)
    assert "SERTAINTY_HOST_KEY_FILE" in log.getvalue()
    hub.service.close()
