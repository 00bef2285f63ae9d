"""X1 on a real server: cut connections and kill -9 between any two bytes of a resumable upload."""

import hashlib
import itertools
import random

import pytest
import requests

from tests.servers.processes import wait_until
from tests.service.filestore_svc.filestore_lab import Server
from tests.service.filestore_svc.test_resumable_uploads import TUS, TYPE, _metadata


def _create(server, path, length):
    headers = {**server.headers(), **TUS, "Upload-Length": str(length), "Upload-Metadata": _metadata(path)}
    answer = requests.post(f"{server.url}/2.0/uploads", headers=headers, timeout=30)
    assert answer.status_code == 201
    return answer.headers["Location"].rpartition("/")[2]


def _offset(server, upload):
    headers = {**server.headers(), **TUS}
    answer = requests.head(f"{server.url}/2.0/uploads/{upload}", headers=headers, timeout=30)
    assert (answer.status_code, answer.content) == (200, b"")
    return int(answer.headers["Upload-Offset"])


def _start(server, upload, offset, length, body):
    """Open a connection, send a head that declares `length` bytes, and `body`, a part of them."""
    fields = {**server.headers(), **TUS, **TYPE, "Upload-Offset": str(offset), "Content-Length": str(length)}
    lines = [f"PATCH /2.0/uploads/{upload} HTTP/1.1", "Host: x", *(f"{name}: {text}" for name, text in fields.items())]
    connection = server.connect()
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return connection


def _finish(server, upload, content):
    """Continue at the offset that the server returns; return the last answer."""
    offset = _offset(server, upload)
    headers = {**server.headers(), **TUS, **TYPE, "Upload-Offset": str(offset)}
    return requests.patch(f"{server.url}/2.0/uploads/{upload}", content[offset:], headers=headers, timeout=60)


def test_a_cut_connection_keeps_what_came(server):
    """The offset counts every byte that arrived, and the finished file is complete."""
    content = random.Random(1).randbytes(3_000_000)
    upload = _create(server, "/in/cut", len(content))
    with _start(server, upload, 0, len(content), content[:1_234_567]) as connection:
        connection.shutdown(1)
        connection.recv(1000)
    wait_until(lambda: _offset(server, upload) == 1_234_567, what="the offset of what came")
    assert "cut" not in server.names()
    answer = _finish(server, upload, content)
    assert (answer.status_code, answer.headers["Fileset"]) == (204, str(server.names()["cut"]["fileset"]))
    assert server.get("/2.0/files/in/cut").content == content


def test_a_silent_client_blocks_no_other_request(server):
    """The request of a client that fell silent does not block the next request."""
    content = random.Random(2).randbytes(200_000)
    upload = _create(server, "/in/silent", len(content))
    with _start(server, upload, 0, len(content), content[:1000]):
        assert _finish(server, upload, content).status_code == 204
    assert server.get("/2.0/files/in/silent").content == content


def test_two_web_processes_and_a_client_that_gives_up(tmp_path):
    """Pieces on connections of their own, the last one sent again and again without waiting, become one file."""
    server = Server(tmp_path, processes=2).start()
    content = random.Random(3).randbytes(30 << 20)
    upload = _create(server, "/in/two", len(content))
    edges = [*range(0, len(content), 4_000_001), len(content)]
    for start, stop in itertools.pairwise(edges[:-1]):
        headers = {**server.headers(), **TUS, **TYPE, "Upload-Offset": str(start), "Connection": "close"}
        url = f"{server.url}/2.0/uploads/{upload}"
        assert requests.patch(url, content[start:stop], headers=headers, timeout=30).status_code == 204
    for _ in range(5):
        if _offset(server, upload) == edges[-2]:
            _start(server, upload, edges[-2], edges[-1] - edges[-2], content[edges[-2] :]).close()
    wait_until(lambda: _offset(server, upload) == len(content), what="the file")
    assert server.names()["two"]["attributes"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert sum(path.is_file() for path in (server.state / "blobs").rglob("*")) == 1
    server.program.kill()


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_between_any_two_bytes(tmp_path, seed):
    """HEAD tells an offset that is on disk, and the rest makes the file, byte for byte."""
    chance = random.Random(seed)
    content = chance.randbytes(80 << 20)
    server = Server(tmp_path).start()
    upload = _create(server, "/in/killed", len(content))
    for _ in range(2):
        offset = _offset(server, upload)
        sent = chance.randrange(34 << 20, 39 << 20)
        _start(server, upload, offset, len(content) - offset, content[offset : offset + sent]).close()
        server.program.kill()
        server.start()
        told = _offset(server, upload)
        partial = server.state / "partial" / upload
        assert told == 0 or partial.read_bytes()[:told] == content[:told]
    assert "killed" not in server.names()
    answer = _finish(server, upload, content)
    assert answer.status_code == 204
    assert server.names()["killed"]["attributes"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert not list((server.state / "partial").iterdir())
    server.program.kill()
