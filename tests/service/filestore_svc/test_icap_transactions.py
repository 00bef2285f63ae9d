"""A content before a scanner: every way in which one answers, and every way in which it does not."""

import datetime
import hashlib
import ipaddress
import random
import ssl
import threading
import tracemalloc

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from filestore_svc.domain.scanning import Scan, ScannerPlace
from filestore_svc.wire.icap import Blocked, Scanner, ScannerAway, ScannerSilent
from tests.servers.icap import CLEAN, GO_ON, IcapServer, given_back, page
from tests.servers.processes import free_port, wait_until

LARGE = random.Random(7).randbytes(12 << 20)
NOT_SO_LARGE = LARGE[: 3 << 20]


@pytest.fixture
def client():
    """A function that makes clients, which are closed at the end."""
    made = []

    def make(url, tls=None, **scan):
        made.append(Scanner(Scan(place=ScannerPlace.of(url), **{"timeout": 10.0, **scan}), tls))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def scanner(icap, client):
    """A client of the server."""
    return client(icap.url())


def _scan(scanner, content, *, step=1 << 20, patient=False):
    transaction = scanner.begin("/in/a", None, patient=patient)
    try:
        for start in range(0, len(content), step):
            transaction.write(memoryview(content)[start : start + step])
        transaction.verdict(len(content), hashlib.sha256(content))
    finally:
        transaction.close()


def _recorded(icap):
    """Let the server find nothing, and record the content that it receives."""
    seen = []

    def record(talk):
        seen.append((talk.head.partition(" ")[0], talk.body()))
        talk.send(CLEAN)

    icap.script = record
    return seen


@pytest.mark.parametrize("preview", [None, "0", "1024"])
@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 70_000])
def test_the_scanner_sees_every_byte(icap, scanner, preview, size):
    """With a preview of any size and without one, in blocks of any size, over one connection."""
    icap.options.pop("Preview")
    if preview is not None:
        icap.options["Preview"] = preview
    seen = _recorded(icap)
    content = LARGE[:size]
    for step in (1, 1000, 1 << 20):
        if size // step < 5000:
            _scan(scanner, content, step=step)
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
def test_the_method_is_one_that_the_service_has(icap, offered, wanted, used, client):
    """REQMOD where it is there, unless the configuration says otherwise."""
    icap.options["Methods"] = offered
    seen = _recorded(icap)
    _scan(client(icap.url(), method=wanted), b"hello")
    assert seen == [(used, b"hello")]


def test_a_preview_can_be_enough(icap, scanner):
    """A 204 after the first bytes is a verdict; the rest is not sent, and the connection is used again."""
    sizes = []

    def enough(talk):
        sizes.append(sum(len(chunk) for chunk in talk.chunks()))
        talk.send(CLEAN)

    icap.script = enough
    for _ in range(2):
        _scan(scanner, NOT_SO_LARGE)
    assert (sizes, icap.connections) == ([1024, 1024], 1)


def test_an_answer_to_the_preview_alone(icap, scanner):
    """A content that is given back without having been asked for is another one; its rest is not sent."""
    icap.script = lambda talk: talk.send(given_back(b"".join(talk.chunks())))
    with pytest.raises(Blocked):
        _scan(scanner, NOT_SO_LARGE)
    _recorded(icap)
    _scan(scanner, b"hello")
    assert icap.connections == 1


def test_a_verdict_that_came_too_soon_for_the_connection(icap, scanner):
    """A connection on which a message was broken off is not used again."""
    icap.options.pop("Preview")
    icap.script = lambda talk: (talk.send(CLEAN), talk.connection.recv(1))
    for _ in range(2):
        _scan(scanner, LARGE)
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
    _recorded(icap)
    _scan(scanner, b"hello")
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
        _scan(scanner, LARGE)
    assert icap.connections == 1


@pytest.mark.parametrize("method", ["REQMOD", "RESPMOD"])
def test_a_content_that_comes_back_changed(icap, method, client):
    """A content that the scanner changed is refused, because the stored one would differ from it."""
    name, http = ("req", "PUT /a HTTP/1.1\r\n\r\n") if method == "REQMOD" else ("res", "HTTP/1.1 200 OK\r\n\r\n")
    scanner = client(icap.url(), method=method)
    for changed in (b"hellO", b"hell", b"hello!", b""):
        icap.script = lambda talk, changed=changed: (talk.body(), talk.send(given_back(changed, http, name)))
        with pytest.raises(Blocked) as caught:
            _scan(scanner, b"hello")
        assert caught.value.threat == ""
    icap.script = lambda talk: (talk.body(), talk.send(given_back(b"hello", http, name)))
    _scan(scanner, b"hello")


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
        _scan(scanner, b"hello")
    assert caught.value.threat in ("", "Found")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"\x00\xff\r\n" * 9, b"ICAP/1.0 200 OK\r\nX\r\n\r\n"])
def test_garbage(icap, scanner, answer):
    """It is no verdict, and the connection is not used again."""
    icap.script = lambda talk: (talk.body(), talk.send(answer))
    with pytest.raises(ScannerAway):
        _scan(scanner, b"hello")
    _recorded(icap)
    _scan(scanner, b"hello")
    assert icap.connections == 2


@pytest.mark.parametrize(
    ("status", "begun"), [("404 Not Found", False), ("503 Busy", False), ("408 Late", False), ("206 Part", True)]
)
def test_a_status_that_is_no_verdict(icap, scanner, status, begun):
    """A scanner that answers an error is unavailable."""
    answer = f"ICAP/1.0 {status}\r\nEncapsulated: null-body=0\r\n\r\n".encode()
    icap.script = lambda talk: (talk.body(), talk.send(answer))
    with pytest.raises(ScannerAway, match=status[:3]) as caught:
        _scan(scanner, b"hello")
    assert caught.value.begun is begun


@pytest.mark.parametrize("answer", [given_back(b"hello")[:-3], page()[:60], b"ICAP/1.0 200 OK\r\n\r\n"])
def test_an_answer_that_is_cut_is_no_verdict(icap, scanner, answer):
    """A content of which something else was said than a 204 is not one to go on with."""
    icap.script = lambda talk: (talk.body(), talk.send(answer), talk.connection.shutdown(2))
    with pytest.raises(ScannerAway):
        _scan(scanner, b"hello")


def test_a_response_that_is_cut_in_its_body(icap, scanner):
    """A connection that is cut differs from a scanner that never answers."""
    icap.script = lambda talk: (talk.body(), talk.send(given_back(b"hello")[:-3]), talk.connection.shutdown(2))
    with pytest.raises(ScannerAway) as caught:
        _scan(scanner, b"hello")
    assert caught.value.begun
    icap.script = lambda talk: (talk.body(), talk.connection.shutdown(2))
    with pytest.raises(ScannerAway) as caught:
        _scan(scanner, b"hello")
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
        _scan(scanner, LARGE)


def test_a_scanner_that_says_nothing(icap, client):
    """It is waited for as long as the configuration says since it last did something."""
    icap.script = lambda talk: (talk.body(), talk.connection.recv(1))
    with pytest.raises(ScannerSilent):
        _scan(client(icap.url(), timeout=0.3), b"hello")


def test_a_scanner_that_takes_nothing(icap, client):
    """An upload does not wait for one for ever."""
    icap.options.pop("Preview")
    over = threading.Event()
    icap.script = lambda _talk: over.wait(60)
    with pytest.raises(ScannerAway, match="took nothing"):
        _scan(client(icap.url(), timeout=0.3), LARGE + LARGE)
    over.set()


def test_a_slow_scanner_is_no_silent_one(icap, client):
    """The timeout counts the time without any byte, and not the whole exchange."""

    def slowly(talk):
        answer = given_back(talk.body())
        for start in range(0, len(answer), len(answer) // 8):
            threading.Event().wait(0.1)
            talk.send(answer[start : start + len(answer) // 8])

    icap.script = slowly
    _scan(client(icap.url(), timeout=0.5), b"x")


def test_a_port_without_a_scanner(client):
    """A scanner that refuses connections is reported at once."""
    with pytest.raises(ScannerAway, match="refused"):
        _scan(client(f"icap://127.0.0.1:{free_port()}/scan"), b"hello")


@pytest.mark.parametrize(("name", "value"), [("Methods", "OPTIONS"), ("Methods", "")])
def test_a_service_that_cannot_look_at_contents(icap, scanner, name, value):
    """It is away, by its own words."""
    icap.options[name] = value
    with pytest.raises(ScannerAway, match="no REQMOD"):
        scanner.ping()


def test_a_service_that_is_not_there(icap, scanner):
    """The status of a refusing scanner is in the error."""
    icap.options_status = "404 Not Found"
    with pytest.raises(ScannerAway, match="404"):
        scanner.ping()


def test_options_are_asked_for_once(icap, scanner):
    """And again where the service says that it has changed since."""
    for _ in range(3):
        _scan(scanner, b"hello")
    assert icap.asked == ["OPTIONS", "REQMOD", "REQMOD", "REQMOD"]
    icap.script = lambda talk: (talk.body(), talk.send(CLEAN.replace(b"one", b"two")))
    _scan(scanner, b"hello")
    icap.options["ISTag"] = '"two"'
    _scan(scanner, b"hello")
    _scan(scanner, b"hello")
    assert icap.asked[4:] == ["REQMOD", "OPTIONS", "REQMOD", "REQMOD"]


def test_a_connection_that_was_closed_meanwhile(icap, scanner):
    """An idle connection that the scanner closed is replaced by a new one."""
    for _ in range(3):
        _scan(scanner, b"hello")
        icap.hang_up()
        wait_until(lambda: not scanner._pool._idle[0].idle())
    assert icap.connections == 3


def test_a_connection_that_is_to_be_closed(icap, scanner):
    """`Connection: close` is heeded."""
    icap.script = lambda talk: (talk.body(), talk.send(CLEAN.replace(b"ISTag", b"Connection: close\r\nISTag")))
    for _ in range(2):
        _scan(scanner, b"hello")
    assert icap.connections == 2


def test_no_more_connections_than_the_scanner_wants(icap, client):
    """Slow uploads leave half of the connections to those that wait for a verdict; these wait for a limited time."""
    icap.options["Max-Connections"] = "2"
    scanner = client(icap.url(), timeout=0.3)
    first = scanner.begin("/in/a", None, patient=False)
    assert scanner.begin("/in/b", None, patient=False) is None
    second = scanner.begin("/in/b", None, patient=True)
    with pytest.raises(ScannerAway, match="too much"):
        scanner.begin("/in/c", None, patient=True)
    second.close()
    _scan(scanner, b"hello", patient=True)
    first.close()
    _scan(scanner, b"hello")


def test_a_large_content_takes_no_memory(icap, scanner):
    """It goes through in blocks."""
    sizes = []

    def count(talk):
        list(talk.chunks())
        talk.send(GO_ON)
        sizes.append(sum(len(chunk) for chunk in talk.chunks()))
        talk.send(CLEAN)

    icap.script = count
    digest = hashlib.sha256()
    block = b"x" * (1 << 20)
    tracemalloc.start()
    transaction = scanner.begin("/in/a", None, patient=False)
    for _ in range(64):
        transaction.write(block)
        digest.update(block)
    transaction.verdict(64 << 20, digest)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sizes == [(64 << 20) - 1024]
    assert most < 12 << 20


@pytest.fixture
def certificate(tmp_path):
    """A certificate of 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "scanner")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form, no = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "scanner.crt").write_bytes(made.public_bytes(pem))
    (tmp_path / "scanner.key").write_bytes(key.private_bytes(pem, form, no))
    return tmp_path / "scanner.crt", tmp_path / "scanner.key"


def test_tls(certificate, client):
    """`icaps://` encrypts, gives back and refuses alike, and believes no certificate that nobody vouches for."""
    crt, key = certificate
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(crt, key)
    icap = IcapServer(own)
    scanner = client(icap.url(), ssl.create_default_context(cafile=str(crt)))
    seen = _recorded(icap)
    _scan(scanner, LARGE)
    assert seen == [("REQMOD", LARGE)]
    icap.script = lambda talk: talk.send(given_back(talk.body()))
    _scan(scanner, NOT_SO_LARGE)
    icap.script = lambda talk: (talk.body(), talk.send(page(X_Virus_ID="Found")))
    with pytest.raises(Blocked):
        _scan(scanner, b"hello")
    assert icap.connections == 1
    with pytest.raises(ScannerAway):
        _scan(client(icap.url()), b"hello")
    icap.close()
