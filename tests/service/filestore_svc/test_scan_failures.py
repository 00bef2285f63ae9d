"""Uploads while the scanner fails."""

import pytest

from filestore_svc.store import quotas
from tests.servers.icap import CLEAN, GO_ON, clean, given_back, page
from tests.servers.processes import free_port
from tests.service.filestore_svc.filestore_lab import ALL, TRANSFER, form, identity_of
from tests.service.filestore_svc.test_resumable_uploads import head, location, patch

LARGE = b"0123456789abcdef" * (4 << 16)
INSIDE = identity_of("system", mechanism="none", transfer_id=TRANSFER)


def _put(lab, content=b"hello"):
    return lab.call(
        "PUT", "/2.0/files/in/a", data=form(content), content_type="multipart/form-data; boundary=XbX"
    )  # fmt: skip


def _away():
    return f"icap://127.0.0.1:{free_port()}/scan"


def _cut(talk):
    """Break off in the middle of a content."""
    list(talk.chunks())
    if not talk.whole:
        talk.send(GO_ON)
        next(talk.chunks())
    talk.reset()


def _then(first, second):
    """Return a script for the first look at a content and for all others."""
    scripts = [first]

    def script(talk):
        act = scripts.pop() if scripts else second
        act(talk)

    return script


def test_without_a_scanner_nothing_goes_in(scanned):
    """Uploads get 503 with Retry-After by default; stored files can be downloaded."""
    lab = scanned(_away())
    answers = [_put(lab), _put(lab, LARGE), lab.store("/in/a", b"x", INSIDE)]
    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "5")] * 3
    assert answers[0].json["message"] == "Temporarily unavailable"
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["failed", "failed"]
    assert scanned.left() == []
    assert lab.get("/2.0/directories/in?type=files").json["totalCount"] == "0"


def test_an_upload_in_pieces_waits_for_the_scanner(scanned, icap):
    """Its last piece can be sent again when the scanner is back; nothing is to be seen before."""
    icap.options_status = "503 Busy"
    lab = scanned(icap.url())
    where = location(lab, "/in/a", 10)
    assert patch(lab, where, 0, b"01234").status_code == 204
    assert patch(lab, where, 5, b"56789").status_code == 503
    assert lab.get("/2.0/files/in/a").status_code == 404
    assert head(lab, where).headers["Upload-Offset"] == "5"
    icap.options_status = "200 OK"
    assert patch(lab, where, 5, b"56789").status_code == 204
    assert lab.get("/2.0/files/in/a").data == b"0123456789"
    assert len(scanned.left()) == 1


def test_without_a_scanner_everything_goes_in(scanned):
    """Where the configuration says so; then it is no matter of readiness either."""
    lab = scanned(_away(), on_failure="accept")
    assert _put(lab, LARGE).status_code == 201
    assert lab.get("/2.0/files/in/a").data == LARGE
    assert patch(lab, location(lab, "/in/b", 5), 0, b"hello").status_code == 204
    assert lab.client.get("/readyz").status_code == 200


def test_readiness_says_that_the_scanner_is_away(scanned):
    """By its name, where nothing goes in without it."""
    answer = scanned(_away()).client.get("/readyz")
    assert (answer.status_code, answer.json["failing"]["scanner"]) == (
        503,
        "the scanner does not answer: Connection refused",
    )


@pytest.mark.parametrize("on_failure", ["refuse", "accept"])
@pytest.mark.parametrize("content", [b"hello", LARGE], ids=["small", "large"])
def test_a_scanner_that_dies_on_the_way_is_shown_it_again(scanned, icap, on_failure, content):
    """A content whose scan broke off is scanned as a whole before it is visible; a clean one is then accepted."""
    lab = scanned(icap.url(), on_failure=on_failure)
    icap.script = _then(_cut, clean)
    assert _put(lab, content).status_code == 201
    assert lab.get("/2.0/files/in/a").data == content
    icap.script = _then(_cut, clean)
    assert patch(lab, location(lab, "/in/b", len(content)), 0, content).status_code == 204
    assert icap.asked.count("REQMOD") == 4


@pytest.mark.parametrize("on_failure", ["refuse", "accept"])
def test_a_virus_does_not_get_in_by_a_broken_look(scanned, icap, on_failure):
    """A virus is refused also with `on_failure: accept`: a scan that timed out is repeated."""
    lab = scanned(icap.url(), on_failure=on_failure)
    fileset = _put(lab, b"old").json["fileset"]
    refused = page(X_Infection_Found="Type=0; Resolution=2; Threat=Found;")
    for way in (_put, lambda lab, content: patch(lab, location(lab, "/in/a", len(content)), 0, content)):
        icap.script = _then(_cut, lambda talk: (talk.body(), talk.send(refused)))
        assert way(lab, LARGE).status_code == 403
        assert lab.events("transfer.ended.v1")[-1]["description"] == "Content refused: Found"
    assert lab.get(f"/2.0/fileset/{fileset}").data == b"old"
    assert len(scanned.left()) == 1


@pytest.mark.parametrize(("on_failure", "status"), [("refuse", 503), ("accept", 201)])
@pytest.mark.parametrize("content", [b"hello", LARGE], ids=["small", "large"])
def test_a_scanner_that_keeps_dying(scanned, icap, on_failure, status, content):
    """After the second time the configuration decides, and a refusal leaves nothing."""
    lab = scanned(icap.url(), on_failure=on_failure)
    icap.script = _cut
    assert _put(lab, content).status_code == status
    assert icap.asked.count("REQMOD") == 2
    assert len(scanned.left()) == (status == 201)


@pytest.mark.parametrize(("on_failure", "status"), [("refuse", 503), ("accept", 201)])
def test_a_scanner_that_says_nothing_is_asked_once(scanned, icap, on_failure, status):
    """It has had all of the content, so that a second look would only be a second wait."""
    lab = scanned(icap.url(), on_failure=on_failure, timeout="1s")
    icap.script = lambda talk: (talk.body(), talk.connection.recv(1))
    assert _put(lab).status_code == status
    assert icap.asked.count("REQMOD") == 1
    assert len(scanned.left()) == (status == 201)


def test_what_a_scanner_began_to_change_is_never_accepted(scanned, icap):
    """A cut answer that was no 204 may be how it keeps a virus back."""
    lab = scanned(icap.url(), on_failure="accept")
    icap.script = lambda talk: (talk.send(given_back(talk.body())[:-3]), talk.reset())
    assert _put(lab).status_code == 503
    assert scanned.left() == []


def test_a_verdict_before_the_end_ends_the_upload(scanned, icap):
    """A content that is refused by its first bytes is not read to its end; it is one failed transfer."""
    icap.options.pop("Preview")

    def early(talk):
        next(talk.chunks())
        talk.send(page())
        talk.connection.recv(1 << 20)

    icap.script = early
    lab = scanned(icap.url())
    assert _put(lab, LARGE * 4).status_code == 403
    assert [event["description"] for event in lab.events("transfer.ended.v1")] == ["Content refused"]
    assert scanned.left() == []


@pytest.mark.parametrize(("on_large", "put", "patched"), [("accept", 201, 204), ("refuse", 413, 413)])
def test_what_is_larger_than_is_looked_at(scanned, icap, on_large, put, patched):
    """It goes in unseen, or is too large; up to the limit everything is looked at."""
    lab = scanned(icap.url(), max_size="1MiB", on_large=on_large)
    icap.script = lambda talk: (talk.body(), talk.send(page()))
    assert _put(lab, LARGE[: 1 << 20]).status_code == 403
    assert _put(lab, LARGE[: (1 << 20) + 1]).status_code == put
    assert patch(lab, location(lab, "/in/b", len(LARGE)), 0, LARGE).status_code == patched
    assert len(scanned.left()) == (2 if on_large == "accept" else 0)


def test_a_scanner_with_few_connections(scanned, icap):
    """Where none is free while the bytes arrive, the content is shown when it is there."""
    icap.options["Max-Connections"] = "1"
    lab = scanned(icap.url())
    assert _put(lab, LARGE).status_code == 201
    icap.script = lambda talk: (talk.body(), talk.send(page()))
    assert _put(lab, LARGE).status_code == 403
    assert lab.get("/2.0/files/in/a").data == LARGE


def test_a_body_that_is_cut_leaves_the_scanner_alone(scanned, icap):
    """It is E-SYN, its reservation and its connection to the scanner are released."""
    folders = {"/in": {"access": {"part1": ALL}, "quota": "20MiB"}}
    lab = scanned(icap.url(), more={"folders": folders})
    body = form(LARGE)[:-9]
    kind = "multipart/form-data; boundary=XbX"
    assert lab.call("PUT", "/2.0/files/in/a", data=body, content_type=kind).status_code == 400
    lab.service.recorder.flush()
    with lab.service.database.read() as connection:
        assert quotas.owned.all(connection) == []
    assert scanned.left() == []
    assert _put(lab).status_code == 201


def test_a_promise_that_is_broken_is_told_first(scanned, icap):
    """A digest that does not match is E-SYN; the scanner's word does not matter any more."""
    icap.script = lambda talk: (talk.body(), talk.send(CLEAN))
    lab = scanned(icap.url())
    answer = lab.put("/2.0/files/in/a", headers={"Repr-Digest": "sha-256=:AAAA:"})
    assert answer.status_code == 400
    assert scanned.left() == []
