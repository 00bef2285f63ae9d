"""The connections to a scanner: timeouts, options, reuse, limits and TLS."""

import datetime
import hashlib
import ipaddress
import ssl
import threading
import tracemalloc

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from filestore_svc.wire.icap import Blocked, ScannerAway, ScannerSilent
from tests.servers.icap import CLEAN, GO_ON, IcapServer, given_back, page
from tests.servers.processes import free_port, wait_until
from tests.service.filestore_svc.icap_lab import LARGE, recorded, scan


def test_a_scanner_that_says_nothing(icap, icap_client):
    """It is waited for as long as the configuration says since it last did something."""
    icap.script = lambda talk: (talk.body(), talk.connection.recv(1))
    with pytest.raises(ScannerSilent):
        scan(icap_client(icap.url(), timeout=1.0), b"hello")


def test_a_scanner_that_takes_nothing(icap, icap_client):
    """An upload does not wait for one for ever."""
    icap.options.pop("Preview")
    over = threading.Event()
    icap.script = lambda _talk: over.wait(60)
    with pytest.raises(ScannerAway, match="took nothing"):
        scan(icap_client(icap.url(), timeout=1.0), LARGE + LARGE)
    over.set()


def test_a_slow_scanner_is_no_silent_one(icap, icap_client):
    """The timeout counts the time without any byte, and not the whole exchange."""

    def slowly(talk):
        answer = given_back(talk.body())
        for start in range(0, len(answer), len(answer) // 8):
            threading.Event().wait(0.3)
            talk.send(answer[start : start + len(answer) // 8])

    icap.script = slowly
    scan(icap_client(icap.url(), timeout=2.0), b"x")


def test_a_port_without_a_scanner(icap_client):
    """A scanner that refuses connections is reported at once."""
    with pytest.raises(ScannerAway, match="refused"):
        scan(icap_client(f"icap://127.0.0.1:{free_port()}/scan"), b"hello")


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
        scan(scanner, b"hello")
    assert icap.asked == ["OPTIONS", "REQMOD", "REQMOD", "REQMOD"]
    icap.script = lambda talk: (talk.body(), talk.send(CLEAN.replace(b"one", b"two")))
    scan(scanner, b"hello")
    icap.options["ISTag"] = '"two"'
    scan(scanner, b"hello")
    scan(scanner, b"hello")
    assert icap.asked[4:] == ["REQMOD", "OPTIONS", "REQMOD", "REQMOD"]


def test_a_connection_that_was_closed_meanwhile(icap, scanner):
    """An idle connection that the scanner closed is replaced by a new one."""
    for _ in range(3):
        scan(scanner, b"hello")
        icap.hang_up()
        wait_until(lambda: not scanner._pool._idle[0].idle())
    assert icap.connections == 3


def test_a_connection_that_is_to_be_closed(icap, scanner):
    """`Connection: close` is heeded."""
    icap.script = lambda talk: (talk.body(), talk.send(CLEAN.replace(b"ISTag", b"Connection: close\r\nISTag")))
    for _ in range(2):
        scan(scanner, b"hello")
    assert icap.connections == 2


def test_no_more_connections_than_the_scanner_wants(icap, icap_client):
    """Slow uploads leave half of the connections to those that wait for a verdict; these wait for a limited time."""
    icap.options["Max-Connections"] = "2"
    scanner = icap_client(icap.url(), timeout=2.0)
    first = scanner.begin("/in/a", None, patient=False)
    assert scanner.begin("/in/b", None, patient=False) is None
    second = scanner.begin("/in/b", None, patient=True)
    with pytest.raises(ScannerAway, match="too much"):
        scanner.begin("/in/c", None, patient=True)
    second.close()
    scan(scanner, b"hello", patient=True)
    first.close()
    scan(scanner, b"hello")


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


def test_tls(certificate, icap_client):
    """`icaps://` encrypts, gives back and refuses alike, and believes no certificate that nobody vouches for."""
    crt, key = certificate
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(crt, key)
    icap = IcapServer(own)
    scanner = icap_client(icap.url(), ssl.create_default_context(cafile=str(crt)))
    seen = recorded(icap)
    scan(scanner, LARGE)
    assert seen == [("REQMOD", LARGE)]
    icap.script = lambda talk: talk.send(given_back(talk.body()))
    scan(scanner, LARGE[: 3 << 20])
    icap.script = lambda talk: (talk.body(), talk.send(page(X_Virus_ID="Found")))
    with pytest.raises(Blocked):
        scan(scanner, b"hello")
    assert icap.connections == 1
    with pytest.raises(ScannerAway):
        scan(icap_client(icap.url()), b"hello")
    icap.close()
