"""`crossdock apply` on a hub that runs: the next request, and the next job, use the new configuration."""

import contextlib
import sqlite3

import requests
import yaml

from tests.e2e.clients import Diplomat, HttpMft
from tests.e2e.configurations import BROKEN, OWN
from tests.servers.hub import crossdock
from tests.servers.processes import wait_until


def test_a_running_hub_takes_another_configuration(start, tmp_path):
    """Accounts and folders change at once, a file with problems changes nothing, and no connection is cut."""
    hub = start()
    client = HttpMft(hub.url)
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(OWN))
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(BROKEN))
    data = ("--data", tmp_path / "data")
    broken = crossdock("apply", "broken.yaml", *data, cwd=tmp_path)
    assert broken.returncode == 2
    assert "accounts.part1.password" in broken.stderr
    assert client.put("in/still.txt", b"there").status_code == 201
    applied = crossdock("apply", "own.yaml", *data, cwd=tmp_path)
    assert (applied.returncode, applied.stderr) == (0, "")
    assert HttpMft(hub.url, "ada", "s3cret").http.cookies
    wait_until(lambda: HttpMft(hub.url, "ada", "s3cret").put("dock/a.txt", b"a").status_code == 201, what="the folder")
    assert client.put("in/x.txt", b"gone").status_code == 401
    assert hub.stop() == 0


def test_basic_is_switched_on_while_the_hub_runs(start, tmp_path):
    """Before, a password with a call is ignored; after, it is enough, and a 401 says that it may be sent."""
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(OWN))
    hub = start("--config", str(tmp_path / "own.yaml"), demo=False)

    def ask(password=None):
        auth = None if password is None else ("ada", password)
        return requests.get(f"{hub.url}/2.0/countelements/dock", auth=auth, timeout=20)

    answer = ask("s3cret")
    assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, False)
    basic = {**OWN, "http_mft": {**OWN["http_mft"], "basic_auth": True}}
    (tmp_path / "basic.yaml").write_text(yaml.safe_dump(basic))
    applied = crossdock("apply", "basic.yaml", "--data", tmp_path / "data", cwd=tmp_path)
    assert (applied.returncode, applied.stderr) == (0, "")
    assert (ask("s3cret").status_code, ask("wrong").status_code) == (200, 401)
    wait_until(lambda: "WWW-Authenticate" in ask().headers, what="web processes that know of it")
    assert hub.stop() == 0


def test_apply_needs_a_hub_that_runs(tmp_path):
    """Without one the command says so."""
    done = crossdock("apply", "any.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "no hub runs" in done.stderr


def test_an_apply_that_fails_leaves_the_hub_as_it_is(start, tmp_path):
    """A database whose tables are of another version, for one: the command says so, and the next apply works."""
    hub = start()
    client = HttpMft(hub.url)
    before = hub.program.children()
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(OWN))
    path = tmp_path / "data/state/sertainty-svc/sertainty.db"

    def renumber(change):
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            connection.execute(f"UPDATE alembic_version SET version_num = {change}")

    renumber("'9' || version_num")
    failed = crossdock("apply", "own.yaml", "--data", tmp_path / "data", cwd=tmp_path)
    assert failed.returncode == 2
    assert "apply it again" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert hub.program.children() == before
    renumber("substr(version_num, 2)")
    applied = crossdock("apply", "own.yaml", "--data", tmp_path / "data", cwd=tmp_path)
    assert (applied.returncode, applied.stderr) == (0, "")
    assert HttpMft(hub.url, "ada", "s3cret").http.cookies
    assert client.put("in/x.txt", b"gone").status_code == 401


def test_a_job_that_begins_after_apply_uses_the_folders_that_it_allows(start, tmp_path):
    """The worker runs on, and reads a folder that the configuration before it did not allow."""
    outside, data = tmp_path / "outside", tmp_path / "data"
    outside.mkdir()
    (outside / "cargo.txt").write_text("twelve crates")
    (tmp_path / "secret").write_text("s3cret")
    before = {
        "accounts": {
            "admin": {
                "password": {"file": "secret"},
                "grants": {"diplomat": {"role": "Administrator", "transactions": ["*"]}},
            }
        },
        "transactions": [
            {
                "name": "fetch",
                "direction": "outbound",
                "api_allowed": True,
                "source": {"url": "file:in", "files": ["*.txt"]},
                "destination": {"url": "file:out"},
            }
        ],
    }
    after = {**before, "allowed_folders": [str(outside)]}
    source = {"url": f"file:{outside}", "files": ["*.txt"]}
    after["transactions"] = [{**before["transactions"][0], "source": source}]
    (tmp_path / "before.yaml").write_text(yaml.safe_dump(before))
    (tmp_path / "after.yaml").write_text(yaml.safe_dump(after))
    hub = start("--config", str(tmp_path / "before.yaml"), demo=False)
    worker = hub.program.children()[-1]
    applied = crossdock("apply", "after.yaml", "--data", data, cwd=tmp_path)
    assert (applied.returncode, applied.stderr) == (0, "")
    client = Diplomat(hub.url, "admin", "s3cret")
    scheduled = client.run("fetch")
    wait_until(lambda: (client.job("fetch") or ())[:2] == (scheduled, "Complete"), what="the job's end")
    assert client.job("fetch")[2] == "Successful"
    assert (data / "out/cargo.txt").read_text() == "twelve crates"
    assert worker in hub.program.children()


def test_uploads_of_jobs_are_held_to_the_limits_that_were_applied(start, tmp_path):
    """The worker's own way into filestore uses the new configuration too, for uploads that begin after it."""
    (tmp_path / "secret").write_text("s3cret")
    before = {
        "accounts": {
            "admin": {
                "password": {"file": "secret"},
                "grants": {"diplomat": {"role": "Administrator", "transactions": ["*"]}},
            }
        },
        "http_mft": {"contracts": {"std": {}}, "folders": {"/in": {"access": {}}}},
        "transactions": [
            {
                "name": "store",
                "direction": "inbound",
                "api_allowed": True,
                "source": {"url": "file:quay", "files": ["*.bin"]},
                "destination": {"url": "filestore:/in"},
                "retries": {"file": 0, "file_delay": "100ms"},
            }
        ],
    }
    after = {**before, "http_mft": {**before["http_mft"], "max_file_size": "1KiB"}}
    (tmp_path / "before.yaml").write_text(yaml.safe_dump(before))
    (tmp_path / "after.yaml").write_text(yaml.safe_dump(after))
    hub = start("--config", str(tmp_path / "before.yaml"), demo=False)
    (hub.data / "quay").mkdir()
    (hub.data / "quay/large.bin").write_bytes(b"x" * 100_000)
    client = Diplomat(hub.url, "admin", "s3cret")

    def end_of_a_job():
        scheduled = client.run("store")
        wait_until(lambda: (client.job("store") or ())[:2] == (scheduled, "Complete"), what="the job's end")
        return client.job("store")[2]

    assert end_of_a_job() == "Successful"
    for file, completion in (("after.yaml", "Failure"), ("before.yaml", "Successful"), ("after.yaml", "Failure")):
        applied = crossdock("apply", file, "--data", hub.data, cwd=tmp_path)
        assert (applied.returncode, applied.stderr) == (0, "")
        assert end_of_a_job() == completion
    assert hub.stop() == 0
