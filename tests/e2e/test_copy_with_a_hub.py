"""`crossdock copy` into and out of the store of a running hub."""

import json

from tests.e2e.clients import HttpMft, IbmMq
from tests.servers.hub import crossdock
from tests.servers.processes import wait_until


def test_files_go_into_the_store_and_come_out_of_it(start, tmp_path):
    """A partner sees the file at once, and what a partner uploaded is copied out with its checksum."""
    hub = start()
    partner = HttpMft(hub.url)
    assert partner.put("in/from-partner.txt", b"uploaded").status_code == 201
    (tmp_path / "report.txt").write_bytes(b"copied in")

    result = crossdock("copy", "report.txt", "filestore:/in/", "--data", hub.data, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert partner.get("in/report.txt").content == b"copied in"

    result = crossdock(
        "copy", "filestore:/in", "out", "--include", "*.txt", "--format", "json", "--data", hub.data, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["copied"] == 2
    assert (tmp_path / "out" / "from-partner.txt").read_bytes() == b"uploaded"
    assert (tmp_path / "out" / "report.txt").read_bytes() == b"copied in"
    # The upload of the partner, and those of the command by the account `system`.
    wait_until(lambda: len(IbmMq(hub.url).transfers()) >= 2, what="the transfers in the record")

    assert crossdock("copy", "filestore:/in/none.txt", "x", "--data", hub.data, cwd=tmp_path).returncode == 3
    assert crossdock("endpoint", "check", "filestore:/in", "--data", hub.data, cwd=tmp_path).returncode == 0
    assert hub.stop() == 0
    assert crossdock("copy", "filestore:/in", "x", "--data", hub.data, cwd=tmp_path).returncode == 4
