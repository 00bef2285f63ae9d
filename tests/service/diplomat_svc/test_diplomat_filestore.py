"""Jobs from and to the hub's own store, through its internal interface."""

import hashlib
import json
from urllib.parse import parse_qs

import pytest

from mft_common import environ_keys


class _Store:
    """A filestore in a dictionary that keeps to the internal interface."""

    def __init__(self):
        self.files, self.callers = {}, set()

    def __call__(self, environ, start_response):
        identity = environ[environ_keys.IDENTITY]
        self.callers.add((identity.account, len(identity.transfer_id or "")))
        kind, path = environ["PATH_INFO"].encode("latin-1").decode().removeprefix("/internal/v1/").split("/", 1)
        body, headers, status = b"{}", [], "200 OK"
        if kind == "folders":
            rows = [self._row(name) for name in sorted(self.files) if name.startswith(path + "/")]
            body = json.dumps({"files": rows}).encode()
        elif environ["REQUEST_METHOD"] == "PUT":
            self.files[path] = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            body, status = json.dumps({**self._row(path), "replaced": False}).encode(), "201 Created"
        elif environ["REQUEST_METHOD"] == "DELETE":
            assert parse_qs(environ["QUERY_STRING"])["fileset"] == ["1"]
            del self.files[path]
        else:
            body = self.files[path]
            headers = [("X-Sha256", hashlib.sha256(body).hexdigest()), ("X-Fileset", "1")]
        start_response(status, [("Content-Length", str(len(body))), *headers])
        return [body]

    def _row(self, path):
        content = self.files[path]
        digest = hashlib.sha256(content).hexdigest()
        name = path.rpartition("/")[2]
        return {"path": path, "name": name, "fileset": 1, "size": len(content), "sha256": digest, "modified_at": 1}


@pytest.mark.parametrize("inbound", [True, False])
def test_jobs_move_between_the_store_and_folders_both_ways(hub, transaction, inbound):
    """Inbound and outbound with the hub's own store: bytes arrive, sources go after success, `system` asks."""
    store = _Store()
    there, here = {"url": "filestore:/in"}, {"url": "file:from"}
    sides = {"source": there, "destination": {"url": "file:to"}} if inbound else {"source": here, "destination": there}
    made = hub(
        transaction("move", direction="inbound" if inbound else "outbound", delete_source=True, **sides),
        filestore=store,
    ).log_in()
    if inbound:
        store.files["in/ä b.txt"] = b"content"
    else:
        (made.data / "from" / "ä b.txt").write_bytes(b"content")
    with made.work():
        made.run("move")
        job = made.finished("move")
    assert job.findtext("completionStatus") == "Successful"
    assert job.findtext("fileHistory/source") == "ä b.txt"
    if inbound:
        assert (made.data / "to" / "ä b.txt").read_bytes() == b"content"
        assert store.files == {}
    else:
        assert store.files == {"in/ä b.txt": b"content"}
        assert list((made.data / "from").iterdir()) == []
    assert store.callers == {("system", 48)}
