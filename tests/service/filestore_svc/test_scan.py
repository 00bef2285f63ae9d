"""A real virus scanner refuses uploads of every kind before their acknowledgement."""

import hashlib
import io
import json
import random
import threading

import pytest

from filestore_svc.store import quotas
from tests.servers.processes import wait_until
from tests.servers.scanner import NAME, VIRUS
from tests.service.filestore_svc.filestore_lab import ALL, TRANSFER, Server, form, identity_of
from tests.service.filestore_svc.test_resumable_uploads import create, location, patch

SMALL = b"a file with " + VIRUS + b" in it"
LARGE = random.Random(3).randbytes(9 << 20) + VIRUS
MULTIPART = "multipart/form-data; boundary=XbX"
INSIDE = identity_of("system", mechanism="none", transfer_id=TRANSFER)


def _put(lab, content):
    return lab.call("PUT", "/2.0/files/in/a.bin", data=form(content), content_type=MULTIPART)


def _raw_put(lab, content):
    return lab.call("PUT", "/2.0/files/in/a.bin", data=content, content_type="application/zip")


def _chunked_put(lab, content):
    stream, chunked = io.BytesIO(form(content)), {"wsgi.input_terminated": True}
    return lab.call("PUT", "/2.0/files/in/a.bin", input_stream=stream, content_type=MULTIPART, environ=chunked)


def _post(lab, content):
    head = b'--XbX\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"ship":"Ada"}\r\n'
    body = head + form(content).replace(b'filename="a"', b'filename="a.bin"', 1)
    return lab.call("POST", "/2.0/files/in", data=body, content_type=MULTIPART)


def _internal(lab, content):
    return lab.store("/in/a.bin", content, INSIDE)


def _in_one_piece(lab, content):
    return patch(lab, location(lab, "/in/a.bin", len(content)), 0, content)


def _in_pieces(lab, content):
    where = location(lab, "/in/a.bin", len(content))
    middle = len(content) - len(VIRUS) // 2
    assert patch(lab, where, 0, content[:middle]).status_code == 204
    return patch(lab, where, middle, content[middle:])


WAYS = [_put, _raw_put, _chunked_put, _post, _internal, _in_one_piece, _in_pieces]


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("way", WAYS)
def test_a_virus_is_refused(scanned, virus_scanner, way, content):
    """403 before anything is acknowledged, visible, stored or left; the transfer has failed, and says of what."""
    lab = scanned(virus_scanner.url(), more={"raw_put": True})
    answer = way(lab, content)
    assert answer.status_code == 403
    if way is _internal:
        assert answer.json == {"error": "authorization", "message": f"Content refused: {NAME}"}
    else:
        told = {key: text for key, text in answer.json.items() if key != "timestamp"}
        assert told == {"result": "failed", "message": "Content refused", "errorType": "authorization"}
        started, ended = lab.events()
        assert (started["type"], ended["type"]) == ("transfer.started.v1", "transfer.ended.v1")
        assert (ended["state"], ended["description"]) == ("failed", f"Content refused: {NAME}")
        assert ended["items"][0]["destination"]["path"] == "/in/a.bin"
    assert lab.get("/2.0/files/in/a.bin").status_code == 404
    assert lab.get("/2.0/directories/in?type=files").json["totalCount"] == "0"
    assert lab.events("file.stored.v1") == []
    assert scanned.left() == []


@pytest.mark.parametrize("way", WAYS)
def test_what_is_clean_goes_in(scanned, virus_scanner, way):
    """Every byte of it, with its digest, in one event."""
    lab = scanned(virus_scanner.url(), more={"raw_put": True})
    content = random.Random(5).randbytes(3 << 20)
    assert way(lab, content).status_code in (201, 204)
    got = lab.get("/2.0/files/in/a.bin")
    assert (got.data, got.headers["ETag"]) == (content, f'"{hashlib.sha256(content).hexdigest()}"')
    assert len(lab.events("file.stored.v1")) == len(scanned.left()) == 1


@pytest.mark.parametrize("service", ["avscan", "virus_scan"])
def test_services_that_give_back_what_is_large(scanned, virus_scanner, service):
    """One that begins to give a content back while it looks at it is understood, clean or not."""
    lab = scanned(virus_scanner.url(service))
    assert _put(lab, LARGE).status_code == 403
    assert scanned.left() == []
    assert _put(lab, LARGE[:-1]).status_code == 201
    assert lab.get("/2.0/files/in/a.bin").data == LARGE[:-1]


def test_what_is_there_stays(scanned, virus_scanner):
    """A name keeps its content and its id when the new content is refused."""
    lab = scanned(virus_scanner.url())
    fileset = _put(lab, b"old").json["fileset"]
    for way in (_put, _post, _internal, _in_pieces):
        assert way(lab, SMALL).status_code == 403
    got = lab.get(f"/2.0/fileset/{fileset}")
    assert (got.status_code, got.data) == (200, b"old")
    assert lab.get("/2.0/files/in/a.bin").data == b"old"
    assert len(scanned.left()) == 1


def test_an_upload_in_pieces_is_over(scanned, virus_scanner):
    """A refused one is gone for its client, with its pieces."""
    lab = scanned(virus_scanner.url())
    where = location(lab, "/in/a.bin", len(SMALL))
    assert patch(lab, where, 0, SMALL).status_code == 403
    assert patch(lab, where, 0, SMALL).status_code == 404
    assert len(lab.events("transfer.ended.v1")) == 1


def test_nothing_is_nothing_to_look_at(scanned, virus_scanner):
    """A file without bytes goes in."""
    lab = scanned(virus_scanner.url())
    assert _put(lab, b"").status_code == 201
    assert create(lab, "/in/b", 0).status_code == 201
    assert lab.get("/2.0/files/in/a.bin").data == b""


def test_a_refusal_gives_back_its_quota(scanned, virus_scanner):
    """The quota that was reserved for a refused upload is released."""
    folders = {"/in": {"access": {"part1": ALL}, "quota": "10MiB"}}
    lab = scanned(virus_scanner.url(), more={"folders": folders})
    for way in (_put, _in_pieces):
        assert way(lab, LARGE).status_code == 403
        lab.service.recorder.flush()
        with lab.service.database.read() as connection:
            assert quotas.owned.all(connection) == []
    assert _put(lab, LARGE[:-1]).status_code == 201


def test_folders_that_are_not_looked_at(scanned, virus_scanner):
    """Only the folders that are named, and what is below them."""
    lab = scanned(virus_scanner.url(), folders=["/in"])
    answers = [lab.put(f"/2.0/files{path}", SMALL).status_code for path in ("/in/a", "/in/sub/a", "/out/a")]
    assert answers == [403, 403, 201]


def test_readiness_asks_the_scanner(scanned, virus_scanner):
    """Readiness names the scanner."""
    lab = scanned(virus_scanner.url())
    answer = lab.client.get("/readyz")
    assert (answer.status_code, "scanner" in answer.json["ok"]) == (200, True)


@pytest.fixture
def scanning_server(virus_scanner, tmp_path):
    """The service as a server, with the scanner."""
    made = Server(tmp_path, scan={"url": virus_scanner.url()})
    yield made.start()
    made.program.kill()


def test_the_audit_line_names_the_virus(scanning_server):
    """A line of the log names the virus too; the response to the client does not."""
    answer = scanning_server.put("/in/a", SMALL)
    assert (answer.status_code, NAME in answer.text) == (403, False)

    def lines():
        written = scanning_server.program.log.read_text().splitlines()
        found = [json.loads(line) for line in written if NAME in line]
        return {(line["event"], line["path"], line["virus"], line["request_id"] != "") for line in found}

    wanted = {(event, "/in/a", NAME, True) for event in ("content.refused", "file.upload")}
    wait_until(lambda: lines() == wanted, what="both lines")


def test_many_at_once(scanning_server):
    """Each gets the verdict on its own content."""
    answers = {}

    def upload(number):
        content = random.Random(number).randbytes(50_000 * number) + (VIRUS if number % 2 else b"")
        answers[number] = scanning_server.put(f"/in/{number}", content).status_code

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: 403 if number % 2 else 201 for number in range(16)}
    assert set(scanning_server.names()) == {str(number) for number in range(0, 16, 2)}
    assert list((scanning_server.state / "staging").iterdir()) == []
