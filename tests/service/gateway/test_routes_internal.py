"""The internal API answers services on its own port alone."""

import json

import pytest

from gateway import routes
from gateway.domain import AccountSpec
from gateway.operations import Operations
from mft_common import environ_keys
from mft_common.errors import Unavailable
from mft_common.identity import HEADER, Identity, Signer

SIGNER = Signer(["a key"])
PORT = 9081
ARGUMENTS = {"service": "filestore-svc", "name": "part1", "password": "partner1", "address": "192.0.2.1"}


@pytest.fixture
def client(operations):
    """Return a client of the gateway's pages."""
    operations.apply_accounts([AccountSpec(name="part1", password="partner1", grants={"http_mft": {}})])
    return routes.create(operations, SIGNER, {"database": operations.ping}, PORT).test_client()


def signed(account="system", service="gateway", signer=SIGNER):
    """Return the header of a caller."""
    return {HEADER: signer.dumps(Identity(request_id="r1", address="", account=account), service)}


def ask(client, call="verify", body=ARGUMENTS, headers=None, port=PORT, **more):
    """Call the internal API as a service does."""
    return client.post(
        f"/internal/v1/directory/{call}",
        json=body,
        headers=signed() if headers is None else headers,
        base_url=f"http://gateway:{port}",
        **more,
    )


def test_answer(client):
    """A service is answered with the same object that a caller in this process would get."""
    answer = ask(client)
    assert answer.status_code == 200
    assert answer.json["answer"]["is"] == "Account"
    assert answer.json["answer"]["grant"] == {}


def test_public_port(client):
    """On any other port there is no internal API, also for a signed request."""
    assert ask(client, port=8080).status_code == 404


def test_no_port(operations):
    """Without a port of its own there is no internal API."""
    client = routes.create(operations, SIGNER, {}, None).test_client()
    assert ask(client).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (dict, 401),
        (lambda: {HEADER: "garbage"}, 401),
        (lambda: signed(signer=Signer(["another key"])), 401),
        (lambda: signed(service="filestore-svc"), 401),
        (lambda: signed(account="part1"), 403),
        (lambda: signed(account=None), 403),
    ],
)
def test_only_services(client, headers, status):
    """A caller that is not signed as the hub itself, for the gateway, is refused."""
    assert ask(client, headers=headers()).status_code == status


def test_identity_object_does_not_count(client):
    """Only a signed identity opens the internal API, not an identity object of the pipeline."""
    environ = {environ_keys.IDENTITY: Identity(request_id="r", address="", account="system")}
    assert ask(client, headers={}, environ_overrides=environ).status_code == 401


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [
        ("apply_accounts", {}, 404),
        ("__init__", {}, 404),
        ("takes_basic", {"service": "filestore-svc"}, 404),
        ("verify", {}, 400),
        ("verify", {**ARGUMENTS, "more": 1}, 400),
        ("verify", {**ARGUMENTS, "service": "ftp-svc"}, 400),
        ("verify", {**ARGUMENTS, "password": 7}, 400),
        ("verify", [], 400),
        ("verify", None, 415),
        ("verify_prompts", {"name": "a", "address": "", "answers": [["prompt-1"]]}, 400),
        ("verify_prompts", {"name": "a", "address": "", "answers": "x"}, 400),
        ("open_session", {"service": "filestore-svc", "account": "part1", "token_bytes": 1}, 400),
        ("open_session", {"service": "filestore-svc", "account": "part1", "limit": "1"}, 400),
        ("open_session", {"service": "filestore-svc", "account": "nobody"}, 503),
    ],
)
def test_calls_are_checked(client, call, body, status):
    """Unknown calls and wrong arguments are refused as such, and never fail."""
    assert ask(client, call, body).status_code == status


def test_not_json(client):
    """A body that is no JSON is 400."""
    answer = client.post(
        "/internal/v1/directory/ping",
        data=b"{",
        content_type="application/json",
        headers=signed(),
        base_url=f"http://gateway:{PORT}",
    )
    assert answer.status_code == 400


def test_large_body(client):
    """A body over the limit is not read."""
    assert ask(client, body={**ARGUMENTS, "password": "x" * (2 << 20)}).status_code == 413


@pytest.mark.parametrize("path", ["/", "/nowhere", "/internal/v1/directory/", "/internal/v1"])
def test_nothing_else(client, path):
    """Every other path is 404 in JSON."""
    answer = client.get(path)
    assert (answer.status_code, answer.is_json) == (404, True)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/internal/v1/directory/ping", {"POST", "OPTIONS"}),
        ("DELETE", "/readyz", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/metrics", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_wrong_method(client, method, path, allowed):
    """A method that a page does not have is 405 with those that it has (RFC 9110 15.5.6)."""
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.json) == (405, {"error": "Method Not Allowed"})
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert len(answer.headers.getlist("Content-Type")) == 1


def test_ready(operations, client):
    """Readiness asks the database, and is 503 where it does not answer."""
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json == {"ok": ["process", "database"], "failing": {}}

    def away():
        raise Unavailable("gone")

    other = routes.create(operations, SIGNER, {"database": away}, PORT).test_client()
    assert other.get("/readyz").status_code == 503


@pytest.mark.parametrize(
    ("address", "port", "status"), [("127.0.0.1", 8080, 200), ("192.0.2.1", 8080, 403), ("192.0.2.1", PORT, 200)]
)
def test_metrics(client, address, port, status):
    """Metrics are shown to loopback, and on the internal port."""
    environ = {"REMOTE_ADDR": address}
    answer = client.get("/metrics", base_url=f"http://gateway:{port}", environ_overrides=environ)
    assert answer.status_code == status


def test_no_network_opens_the_metrics_of_the_public_port(monkeypatch, operations):
    """Clients of a published port may have an address of the network whose services may be scraped."""
    monkeypatch.setenv("MFT_METRICS_FROM", "192.0.2.0/24")
    made = routes.create(operations, SIGNER, {}, PORT).test_client()
    environ = {"REMOTE_ADDR": "192.0.2.1"}
    statuses = [
        made.get("/metrics", base_url=f"http://gateway:{port}", environ_overrides=environ).status_code
        for port in (8080, PORT)
    ]
    assert statuses == [403, 200]


def test_fault_tells_nothing(database):
    """A fault of the hub is a 500 that does not show its text."""

    class Faulty(Operations):
        def ping(self):
            raise ValueError("secret")

    client = routes.create(Faulty(database), SIGNER, {}, PORT).test_client()
    answer = ask(client, "ping", {})
    assert (answer.status_code, json.loads(answer.data)) == (500, {"error": "Internal error"})
