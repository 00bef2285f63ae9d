"""Jobs that begin by themselves in a hub that was started as users start it: by stored files and by the clock."""

import json
import time

import yaml

from tests.e2e.clients import HttpMft
from tests.e2e.configurations import OWN
from tests.servers.hub import crossdock
from tests.servers.processes import wait_until

DIRECT = {"direction": "inbound", "destination": {"url": "file:received"}, "delete_source": True}
TRIGGERED = {
    "name": "arrivals",
    **DIRECT,
    "source": {"url": "filestore:/dock", "files": ["*"]},
    "trigger": {"stored": "filestore:/dock", "files": ["*.csv"]},
}


def jobs(hub, columns, which="1 = 1"):
    """Return columns of the jobs, in order."""
    return hub.rows("diplomat", f"SELECT {columns} FROM jobs WHERE {which} ORDER BY sequence")


def test_an_upload_starts_a_job_and_a_schedule_starts_one_each_minute(start, tmp_path):
    """Each upload is delivered by a job of its own that names it as its cause; an applied schedule fires in time."""
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({**OWN, "transactions": [TRIGGERED]}))
    hub = start("--config", str(tmp_path / "own.yaml"), demo=False)
    client = HttpMft(hub.url, "ada", "s3cret")
    for number in range(5):
        assert client.put(f"dock/{number}.csv", b"%d" % number).status_code == 201
    assert client.put("dock/other.txt", b"stays").status_code == 201
    wait_until(lambda: [row[0] for row in jobs(hub, "completion")] == ["Successful"] * 5, what="the jobs")
    received = {path.name: path.read_bytes() for path in (hub.data / "received").iterdir()}
    assert received == {f"{number}.csv": b"%d" % number for number in range(5)}
    uploads = hub.rows("filestore", "SELECT data FROM outbox WHERE type LIKE '%upload%' OR type = 'file.stored.v1'")
    ids = {found["transfer_id"] for (data,) in uploads if (found := json.loads(data)).get("path", "").endswith(".csv")}
    assert {row[0] for row in jobs(hub, "caused_by")} == ids
    assert client.names("dock") == ["other.txt"]
    shown = crossdock("transaction", "run", "arrivals", "--delay", "1s", "--watch", "--data", hub.data, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert (hub.data / "received" / "other.txt").read_bytes() == b"stays"
    every_minute = {**TRIGGERED, "name": "minutely", "schedule": {"cron": "* * * * *"}}
    del every_minute["trigger"]
    (tmp_path / "new.yaml").write_text(yaml.safe_dump({**OWN, "transactions": [every_minute]}))
    applied = crossdock("apply", "new.yaml", "--data", hub.data, cwd=tmp_path)
    assert (applied.returncode, applied.stderr) == (0, "")
    wait_until(
        lambda: jobs(hub, "completion", "sequence > 6 AND status = 'Complete'"), within=75, what="a scheduled job"
    )
    ((scheduled_at, completion),) = jobs(hub, "scheduled_at, completion", "sequence > 6")
    assert completion == "File(s) not Found"
    assert scheduled_at % 60_000 < 5_000
    assert scheduled_at <= time.time() * 1000
    assert hub.stop() == 0
