"""A job of the hub as a user starts it leaves its audit record, its webhook, and the list of lost ones."""

import json
import sqlite3

import yaml

from tests.servers.hook import Hook
from tests.servers.hub import crossdock
from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until

SECRET = secret("hook-of-hub")


def test_a_job_leaves_an_audit_record_and_a_webhook_45_e43(start, tmp_path):
    """The worker of `crossdock up` writes the one and sends the other, with a secret from a file."""
    hook = Hook(None)
    try:
        rule = {"on": ["success", "failure"], "webhook": f"{hook.url}/in", "secret": {"file": "hook-secret"}}
        source, destination = {"url": "file:from", "files": ["*"]}, {"url": "file:to"}
        one = {"name": "one", "direction": "outbound", "source": source, "destination": destination, "notify": [rule]}
        document = {"diplomat": {"audit": {"url": "sqlite:///audit.db", "critical": True}}, "transactions": [one]}
        config = tmp_path / "crossdock.yaml"
        config.write_text(yaml.safe_dump(document))
        (tmp_path / "hook-secret").write_text(SECRET)
        hub = start("--config", config, demo=False)
        (hub.data / "from").mkdir()
        (hub.data / "from/a.txt").write_text("a")
        done = crossdock("transaction", "run", "one", "--watch", "--data", hub.data, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        with sqlite3.connect(hub.data / "audit.db") as connection:
            rows = connection.execute("SELECT source, completion FROM crossdock_audit_file").fetchall()
        connection.close()
        assert rows == [("a.txt", "Successful")]
        wait_until(lambda: hook.requests, within=10, what="the webhook arrives")
        data = json.loads(hook.requests[0][2])["data"]
        assert (data["transactionName"], data["completionStatus"]) == ("one", "Successful")
    finally:
        hook.close()
