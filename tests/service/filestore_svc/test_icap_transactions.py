"""A content before a scanner: every response, and every failure to respond."""

import pytest

from filestore_svc.wire.icap import Blocked, ScannerAway
from tests.servers.icap import CLEAN, GO_ON, given_back, page
from tests.servers.processes import wait_until
from tests.service.filestore_svc.icap_lab import LARGE, recorded, scan

NOT_SO_LARGE = LARGE[: 3 << 20]


@pytest.mark.parametrize("preview", [None, "0", "1024"])
@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 70_000])
def test_the_scanner_sees_every_byte(icap, scanner, preview, size):
    """With a preview of any size and without one, in blocks of any size, over one connection."""
    icap.options.pop("Preview")
    if preview is not None:
        icap.options["Preview"] = preview
    seen = recorded(icap)
    content = LARGE[:size]
    for step in (1, 1000, 1 << 20):
        if size // step < 5000:
            scan(scanner, content, step=step)
    assert {body for _, body in seen} == {content}
    assert icap.connections == 1


@pytest.mark.parametrize(
    ("offered", "wanted", "used"),
    [
        ("RESPMOD, REQMOD", None, "REQMOD"),
        ("RESPMOD", None, "RESPMOD"),
        ("respmod, reqmod", "RESPMOD", "RESPMOD"),
    ],
)
def test_the_method_is_one_that_the_service_has(icap, offered, wanted, used, icap_client):
    """REQMOD where it is there, unless the configuration says otherwise."""
    icap.options["Methods"] = offered
    seen = recorded(icap)
    scan(icap_client(icap.url(), method=wanted), b"hello")
    assert seen == [(used, b"hello")]


def test_a_preview_can_be_enough(icap, scanner):
    """A 204 after the first bytes is a verdict; the rest is not sent, and the connection is used again."""
    sizes = []

    def enough(talk):
        sizes.append(sum(len(chunk) for chunk in talk.chunks()))
        talk.send(CLEAN)

    icap.script = enough
    for _ in range(2):
        scan(scanner, NOT_SO_LARGE)
    assert (sizes, icap.connections) == ([1024, 1024], 1)


def test_an_answer_to_the_preview_alone(icap, scanner):
    """A content that is given back without having been asked for is another one; its rest is not sent."""
    icap.script = lambda talk: talk.send(given_back(b"".join(talk.chunks())))
    with pytest.raises(Blocked):
        scan(scanner, NOT_SO_LARGE)
    recorded(icap)
    scan(scanner, b"hello")
    assert icap.connections == 1


def test_a_verdict_that_came_too_soon_for_the_connection(icap, scanner):
    """A connection on which a message was broken off is not used again."""
    icap.options.pop("Preview")
    icap.script = lambda talk: (talk.send(CLEAN), talk.connection.recv(1))
    for _ in range(2):
        scan(scanner, LARGE)
    assert icap.connections == 2


def test_a_virus_in_the_preview(icap, scanner):
    """It is refused before the rest has come."""
    icap.script = lambda talk: (list(talk.chunks()), talk.send(page(X_Infection_Found="Type=0; Threat=Eicar;")))
    transaction = scanner.begin("/in/a", None, patient=False)
    with pytest.raises(Blocked) as caught:
        transaction.write(NOT_SO_LARGE)
    assert caught.value.threat == "Eicar"


def test_an_answer_before_the_end(icap, scanner):
    """A scanner that has seen enough says so while bytes arrive, and the connection is not used again."""

    def early(talk):
        next(talk.chunks())
        talk.send(page(X_Virus_ID="Early"))
        wait_until(lambda: not talk.connection.recv(1 << 20), what="the client to hang up")

    icap.options.pop("Preview")
    icap.script = early
    transaction = scanner.begin("/in/a", None, patient=False)

    def refused():
        try:
            transaction.write(b"x" * 1000)
        except Blocked as blocked:
            return blocked.threat
        return None

    assert wait_until(refused) == "Early"
    recorded(icap)
    scan(scanner, b"hello")
    assert icap.connections == 2


def test_a_clean_content_may_come_back(icap, scanner):
    """Scanners that know no 204 give it back, some while it still arrives: neither side waits for the other."""

    def echo(talk):
        list(talk.chunks())
        talk.send(GO_ON + b"ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, req-body=19\r\n\r\nPUT /a HTTP/1.1\r\n\r\n")
        first = LARGE[:1024]
        talk.send(b"400\r\n" + first + b"\r\n")
        for chunk in talk.chunks():
            talk.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        talk.send(b"0\r\n\r\n")

    icap.script = echo
    for _ in range(2):
        scan(scanner, LARGE)
    assert icap.connections == 1


@pytest.mark.parametrize("method", ["REQMOD", "RESPMOD"])
def test_a_content_that_comes_back_changed(icap, method, icap_client):
    """A content that the scanner changed is refused, because the stored one would differ from it."""
    name, http = ("req", "PUT /a HTTP/1.1\r\n\r\n") if method == "REQMOD" else ("res", "HTTP/1.1 200 OK\r\n\r\n")
    scanner = icap_client(icap.url(), method=method)
    for changed in (b"hellO", b"hell", b"hello!", b""):
        icap.script = lambda talk, changed=changed: (talk.body(), talk.send(given_back(changed, http, name)))
        with pytest.raises(Blocked) as caught:
            scan(scanner, b"hello")
        assert caught.value.threat == ""
    icap.script = lambda talk: (talk.body(), talk.send(given_back(b"hello", http, name)))
    scan(scanner, b"hello")


@pytest.mark.parametrize(
    "answer",
    [
        page(),
        page(X_Violations_Found="1\r\n\t-\r\n\tFound\r\n\t0\r\n\t0"),
        given_back(b"hello", X_Infection_Found="Type=0; Resolution=2; Threat=Found;"),
        given_back(b"hello", "HTTP/1.1 200 OK\r\n\r\n", "res"),
        b"ICAP/1.0 204 No Content\r\nX-Infection-Found: Threat=Found;\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nX-Virus-ID: Found\r\n\r\n",
    ],
)
def test_responses_that_refuse(icap, scanner, answer):
    """The name of a threat is a refusal beside any other content; so is a page in place of the request."""
    icap.script = lambda talk: (talk.body(), talk.send(answer))
    with pytest.raises(Blocked) as caught:
        scan(scanner, b"hello")
    assert caught.value.threat in ("", "Found")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"\x00\xff\r\n" * 9, b"ICAP/1.0 200 OK\r\nX\r\n\r\n"])
def test_garbage(icap, scanner, answer):
    """It is no verdict, and the connection is not used again."""
    icap.script = lambda talk: (talk.body(), talk.send(answer))
    with pytest.raises(ScannerAway):
        scan(scanner, b"hello")
    recorded(icap)
    scan(scanner, b"hello")
    assert icap.connections == 2


@pytest.mark.parametrize(
    ("status", "begun"), [("404 Not Found", False), ("503 Busy", False), ("408 Late", False), ("206 Part", True)]
)
def test_a_status_that_is_no_verdict(icap, scanner, status, begun):
    """A scanner that answers an error is unavailable."""
    answer = f"ICAP/1.0 {status}\r\nEncapsulated: null-body=0\r\n\r\n".encode()
    icap.script = lambda talk: (talk.body(), talk.send(answer))
    with pytest.raises(ScannerAway, match=status[:3]) as caught:
        scan(scanner, b"hello")
    assert caught.value.begun is begun


@pytest.mark.parametrize("answer", [page()[:60], page(X_Infection_Found="Threat=Found;")[:-3]])
def test_a_refusal_that_is_cut_is_a_refusal(icap, scanner, answer):
    """The head of the response shows it: it holds although the connection breaks before the end of the page."""
    icap.script = lambda talk: (talk.body(), talk.send(answer), talk.connection.shutdown(2))
    with pytest.raises(Blocked):
        scan(scanner, b"hello")


@pytest.mark.parametrize("answer", [given_back(b"hello")[:-3], page()[:30], b"ICAP/1.0 200 OK\r\n\r\n"])
def test_an_answer_that_is_cut_is_no_verdict(icap, scanner, answer):
    """A content of which something else was said than a 204 is not one to go on with."""
    icap.script = lambda talk: (talk.body(), talk.send(answer), talk.connection.shutdown(2))
    with pytest.raises(ScannerAway):
        scan(scanner, b"hello")


def test_a_response_that_is_cut_in_its_body(icap, scanner):
    """A connection that is cut differs from a scanner that never answers."""
    icap.script = lambda talk: (talk.body(), talk.send(given_back(b"hello")[:-3]), talk.connection.shutdown(2))
    with pytest.raises(ScannerAway) as caught:
        scan(scanner, b"hello")
    assert caught.value.begun
    icap.script = lambda talk: (talk.body(), talk.connection.shutdown(2))
    with pytest.raises(ScannerAway) as caught:
        scan(scanner, b"hello")
    assert not caught.value.begun


def test_a_scanner_that_dies(icap, scanner):
    """A reset in the middle of a body is no verdict."""

    def die(talk):
        list(talk.chunks())
        talk.send(GO_ON)
        next(talk.chunks())
        talk.reset()

    icap.script = die
    with pytest.raises(ScannerAway):
        scan(scanner, LARGE)
