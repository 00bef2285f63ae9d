"""S11, S12, S16, S20 on a real server: cut bodies, racing writers, kill -9."""

import hashlib
import json
import random
import sqlite3
import threading

import pytest
import requests

from mft_common.events import FileRead, FileStored
from tests.servers.outboxes import ROWS, read_events
from tests.servers.processes import wait_until
from tests.service.filestore_svc.filestore_lab import Server, form


def _head(server, path, *framing):
    identity = [f"{name}: {value}" for name, value in server.headers().items()]
    lines = [f"PUT /2.0/files{path} HTTP/1.1", "Host: x", "Content-Type: multipart/form-data; boundary=XbX", *identity]
    return "\r\n".join([*lines, *framing, "", ""]).encode()


def _send(server, data):
    """Send bytes, close our side, and return the response."""
    with server.connect() as connection:
        connection.sendall(data)
        connection.shutdown(1)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer


def _rows(server, query):
    with sqlite3.connect(server.state / "filestore.db") as database:
        return database.execute(query).fetchall()


def _staging(server):
    return list((server.state / "staging").iterdir())


def _blobs(server):
    return {int(path.name) for path in (server.state / "blobs").rglob("*") if path.is_file()}


def test_an_abort_at_every_byte(server):
    """A body that is cut anywhere is never visible, leaves nothing, and the file that is there keeps its content."""
    before = server.put("/in/kept", b"old").json()["fileset"]
    body = form(b"new content")
    for end in range(len(body)):
        answer = _send(server, _head(server, "/in/kept", f"Content-Length: {len(body)}") + body[:end])
        assert b"201" not in answer.partition(b"\r\n")[0]
    assert server.names()["kept"]["fileset"] == before
    assert server.get("/2.0/files/in/kept").content == b"old"
    wait_until(lambda: not _staging(server), what="an empty staging folder")
    assert {row[0] for row in _rows(server, "SELECT fileset FROM files")} == _blobs(server)


def test_chunked_bodies(server):
    """S13: a chunked body is taken whole, and refused without its end."""
    body = form(b"in chunks")
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:]))
    head = _head(server, "/in/chunked", "Transfer-Encoding: chunked", "Connection: close")
    assert _send(server, head + framed + b"0\r\n\r\n").startswith(b"HTTP/1.1 201")
    for cut in (framed, framed[:30], framed + b"0\r\n"):
        head = _head(server, "/in/cut", "Transfer-Encoding: chunked", "Connection: close")
        assert b"201" not in _send(server, head + cut).partition(b"\r\n")[0]
    assert "cut" not in server.names()
    assert server.get("/2.0/files/in/chunked").content == b"in chunks"


def test_a_body_is_asked_for_once_it_is_wanted(server):
    """S3: `Expect: 100-continue` is answered with a refusal where there is one, and with 100 where there is none."""
    body = form(b"asked for")
    framing = (f"Content-Length: {len(body)}", "Expect: 100-continue")
    with server.connect() as connection:
        connection.sendall(_head(server, "/nosuch/a", *framing))
        assert b"".join(iter(lambda: connection.recv(65536), b"")).startswith(b"HTTP/1.1 404 ")
    with server.connect() as connection:
        connection.sendall(_head(server, "/in/asked", *framing, "Connection: close"))
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert b"".join(iter(lambda: connection.recv(65536), b"")).startswith(b"HTTP/1.1 201 ")
    assert server.get("/2.0/files/in/asked").content == b"asked for"


def test_a_failed_upload_is_a_failed_transfer(server):
    """S21: a client that vanishes makes a failed transfer within a second."""
    count = "SELECT count(*) FROM outbox WHERE type = 'transfer.ended.v1' AND data LIKE '%/in/vanished%'"
    body = form(b"x" * 1000)
    _send(server, _head(server, "/in/vanished", f"Content-Length: {len(body)}") + body[:200])
    wait_until(lambda: _rows(server, count)[0][0] == 1, within=5)
    state = _rows(server, count.replace("count(*)", "data"))[0][0]
    assert json.loads(state)["state"] == "failed"


def test_sendfile_reports_the_bytes_sent(server):
    """S28: behind gunicorn a download is a read when its last byte went out, and none when the client left."""
    content = random.Random(1).randbytes(8 << 20)
    server.put("/in/large", content)
    assert server.get("/2.0/files/in/large").content == content

    def reads():
        events = [envelope.data for envelope in read_events("filestore-svc", _rows(server, ROWS))]
        return [event for event in events if isinstance(event, FileRead) and event.path == "/in/large"]

    wait_until(lambda: len(reads()) == 1, within=5)
    with requests.get(f"{server.url}/2.0/files/in/large", headers=server.headers(), stream=True, timeout=30) as answer:
        answer.raw.read(1000)
    failed = "SELECT count(*) FROM outbox WHERE type = 'transfer.ended.v1' AND data LIKE '%did not take all bytes%'"
    wait_until(lambda: _rows(server, failed)[0][0] == 1, within=10)
    assert len(reads()) == 1


def test_writers_and_readers_of_one_name(server):
    """S15, S16: each writer gets its own id, every reader a whole content, and the last one stays."""
    contents = {hashlib.sha256(data).hexdigest(): data for data in (bytes([n]) * (50_000 + n) for n in range(4))}
    ids, odd = [], []
    server.put("/in/raced", next(iter(contents.values())))

    def write(data):
        ids.extend(server.put("/in/raced", data).json()["fileset"] for _ in range(8))

    def read():
        seen = {hashlib.sha256(server.get("/2.0/files/in/raced").content).hexdigest() for _ in range(15)}
        odd.extend(seen - set(contents))

    threads = [threading.Thread(target=write, args=(data,)) for data in contents.values()]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert odd == []
    assert len(set(ids)) == 32
    assert server.names()["raced"]["fileset"] in ids


@pytest.mark.parametrize("seed", range(5))
def test_kill_9_under_uploads(tmp_path, seed):
    """Every acknowledged upload is there, complete, with its events; nothing else is visible or left behind."""
    chance = random.Random(seed)
    server = Server(tmp_path).start()
    stop, done = threading.Event(), {}

    def upload(number):
        own = random.Random(f"{seed}.{number}")
        for count in range(10_000):
            if stop.is_set():
                return
            content = own.randbytes(own.choice((0, 10, 5_000, 400_000)))
            name = f"{number}-{count % 7}"
            try:
                answer = server.put(f"/in/{name}", content)
            except requests.RequestException:
                # Nobody knows whether this one was stored: its name may hold the old or the new content.
                done.setdefault(name, []).append((None, content))
                return
            if answer.status_code == 201:
                done.setdefault(name, []).append((answer.json()["fileset"], content))

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(done) > 8, within=30)
    stop.wait(chance.random() * 0.5)
    server.program.kill()
    stop.set()
    for thread in threads:
        thread.join()
    server.start()
    names = server.names()
    for name, history in done.items():
        sure = [entry for entry in history if entry[0] is not None]
        allowed = [content for _, content in history[len(sure) - 1 if sure else 0 :]]
        if sure or name in names:
            assert server.get(f"/2.0/files/in/{name}").content in allowed, name
    assert set(names) <= set(done)
    assert _staging(server) == []
    filesets = {row[0] for row in _rows(server, "SELECT fileset FROM files")}
    assert filesets <= _blobs(server)
    events = [envelope.data for envelope in read_events("filestore-svc", _rows(server, ROWS))]
    known = {event.fileset for event in events if isinstance(event, FileStored)}
    assert {fileset for history in done.values() for fileset, _ in history if fileset} <= known
    assert filesets <= known
    assert _rows(server, "SELECT count(*) FROM open_transfers") == [(0,)]
    server.program.kill()
