import ipaddress
import json

import pytest

from gateway.pipeline import Pipeline, PipelineOptions
from gateway.pipeline.rate_limit import RateLimiter
from gateway.routing import find
from gateway.settings import Settings
from mft_common import environ_keys
from mft_common.directory import Account, Session
from mft_common.errors import Unavailable
from mft_common.http1 import RequestBodyError, UpstreamUnavailable, WsgiUpstream
from mft_common.identity import Identity, Signer
from mft_common.settings import SettingsError

SERVICES = ("filestore-svc", "diplomat-svc", "mqmft-svc", "sertainty-svc")
PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)


class OnePartner:
    """A directory with one session, whose token is `live`."""

    def find_session(self, service, token):
        """Find the one session."""
        if token == "away":
            raise Unavailable("the database does not answer")
        if token != "live":
            return None
        account = Account(name="part 1", contact="Partner", grant={"contract": "std"}, revision=7)
        return Session(public_id="p1", service=service, account="part 1", label="dom/me"), account

    def takes_basic(self, _service):
        """Take none."""
        return False

    def origins(self, _service):
        """List none."""
        return ()


class Recorder:
    """A service that remembers its requests, and answers, reads its body or fails as told."""

    def __init__(self):
        self.environs = []
        self.act = lambda _environ: None
        self.answer = [b"fine"]

    def __call__(self, environ, start_response):
        """Answer."""
        self.environs.append(environ)
        self.act(environ)
        start_response("200 OK", [("Content-Length", "4"), ("X-Request-Id", "theirs")])
        return self.answer


@pytest.fixture
def service():
    """Return the service behind every route."""
    return Recorder()


@pytest.fixture
def ask(service):
    """Return a function that sends a request to a pipeline and gives back status, headers and body."""

    def send(path="/2.0/files/in/a", *, options=None, environ=None, upstreams=None, cookie="", **fields):
        upstream = WsgiUpstream(service)
        pipeline = Pipeline(
            own=service,
            upstreams=dict.fromkeys(SERVICES, upstream) if upstreams is None else upstreams,
            directory=OnePartner(),
            options=options,
            signer=Signer(["k"]),
        )
        request = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_HOST": "dock:8080",
            "HTTP_COOKIE": cookie,
            "wsgi.url_scheme": "http",
            **fields,
            **(environ or {}),
        }
        started = []
        result = pipeline(request, lambda status, headers, _error=None: started.append((status, dict(headers))))
        status, headers = started[-1]
        return status, headers, b"".join(result)

    return send


def test_a_request_reaches_its_service_with_an_identity(ask, service):
    """The identity names the account, its address and its grant, and not the session's token."""
    ask(cookie="other=1; sp-http-usr=part%201; sp-http-ses=live")
    identity = service.environs[0][environ_keys.IDENTITY]
    assert identity == Identity(
        request_id=identity.request_id,
        address="192.0.2.7",
        scheme="http",
        base_url="http://dock:8080",
        account="part 1",
        contact="Partner",
        grant={"contract": "std"},
        revision=7,
        session="p1",
        label="dom/me",
        mechanism="form",
    )


@pytest.mark.parametrize("path", ["/2.0/files/in/a", "/diplomat/APIRequest", "/dataprotector"])
def test_no_service_sees_a_password(ask, service, path):
    """The Authorization header is removed, whether it counts or not."""
    ask(path, HTTP_AUTHORIZATION="Basic cGFydCAxOnNlY3JldA==")
    assert "HTTP_AUTHORIZATION" not in service.environs[0]


def test_the_services_own_object_goes_to_the_server_untouched(ask, service):
    """A server knows its file wrapper by its class, so the response is not wrapped."""
    service.answer = [b"mine"]
    pipeline = Pipeline(
        own=service, upstreams={"filestore-svc": WsgiUpstream(service)}, directory=OnePartner(), signer=None
    )
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/2.0/x", "REMOTE_ADDR": "127.0.0.1"}
    assert pipeline(environ, lambda *_: None) is service.answer


@pytest.mark.parametrize("name", ["IDENTITY", "IDENTITY_X", "ANYTHING"])
def test_untrusted_headers_of_a_client_are_stripped(ask, service, name):
    """An identity comes from credentials alone."""
    ask(**{f"HTTP_X_CROSSDOCK_{name}": "forged", environ_keys.IDENTITY: "forged", "HTTP_X_FORWARDED_FOR": "1.2.3.4"})
    environ = service.environs[0]
    assert not [key for key in environ if key.startswith(("HTTP_X_CROSSDOCK", "HTTP_X_FORWARDED"))]
    assert environ[environ_keys.IDENTITY].account is None
    assert environ[environ_keys.IDENTITY].address == "192.0.2.7"


def test_the_request_id_is_ours_unless_a_trusted_proxy_gave_one(ask, service):
    """Each response shows the id once, and the service gets the same."""
    _, headers, _ = ask(HTTP_X_REQUEST_ID="chosen-by-client")
    assert len(headers["X-Request-ID"]) == 32
    assert "X-Request-Id" not in headers
    assert service.environs[0]["HTTP_X_REQUEST_ID"] == headers["X-Request-ID"]
    options = PipelineOptions(trusted_proxies=PROXIES)
    for given, kept in (("chosen-by-proxy", True), ("bad id\n", False), ("short", False)):
        _, headers, _ = ask(options=options, REMOTE_ADDR="10.1.1.1", HTTP_X_REQUEST_ID=given)
        assert (headers["X-Request-ID"] == given) is kept


def test_forwarded_headers_count_from_trusted_proxies(ask, service):
    """Address, scheme and host are the client's, as the nearest untrusted party is seen."""
    fields = {
        "REMOTE_ADDR": "10.1.1.1",
        "HTTP_X_FORWARDED_FOR": "6.6.6.6, 198.51.100.9, 10.2.2.2",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "hub.example",
    }
    ask(options=PipelineOptions(trusted_proxies=PROXIES), **fields)
    ask(**fields)
    ask(options=PipelineOptions(public_url="https://pub"), **fields)
    first, second, third = (environ[environ_keys.IDENTITY] for environ in service.environs)
    assert (first.address, first.scheme, first.base_url) == ("198.51.100.9", "https", "https://hub.example")
    assert (second.address, second.scheme, second.base_url) == ("10.1.1.1", "http", "http://dock:8080")
    assert third.base_url == "https://pub"
    assert service.environs[0]["wsgi.url_scheme"] == "https"


def test_a_host_that_is_longer_than_any_name_is_400(ask, service):
    """The host is part of the identity, whose size is limited."""
    status, _, body = ask(HTTP_HOST="a" * 261)
    assert (status[:3], json.loads(body)["result"], service.environs) == ("400", "failed", [])
    assert ask(HTTP_HOST="a" * 253 + ":65535")[0] == "200 OK"


def test_a_body_over_the_routes_limit_is_413(ask, service):
    """The declared length is enough to reject the request."""
    status, _, body = ask("/ibmmq/rest/v2/login", CONTENT_LENGTH=str(64 << 20))
    assert status.startswith("413")
    assert json.loads(body)["error"][0]["msgId"] == "MQWB0973E"
    assert not service.environs
    assert ask("/2.0/files/in/a", CONTENT_LENGTH=str(1 << 50))[0] == "200 OK"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UpstreamUnavailable("away"), "503"),
        (RequestBodyError(400, "cut"), "400"),
        (RequestBodyError(413, "past 10 bytes"), "413"),
        (RuntimeError("fault"), "500"),
    ],
)
def test_an_error_has_the_protocols_form(ask, service, error, status):
    """Each failure of an upstream has a response, which does not show the reason."""

    def fail(environ):
        raise error

    service.act = fail
    got, headers, body = ask("/2.0/x")
    assert got.startswith(status)
    assert json.loads(body)["result"] == "failed"
    assert str(error).encode() not in body
    assert ("Retry-After" in headers) is (status == "503")
    assert headers["X-Request-ID"]


def test_a_directory_that_is_away_is_a_503(ask):
    """Without the directory no session can be found."""
    assert ask(cookie="sp-http-usr=x; sp-http-ses=away")[0].startswith("503")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/2.0/x", "404"), ("/ibmmq/rest/v1/login", "404"), ("/diplomat/APIRequest", "501"), ("/dataprotector", "502")],
)
def test_a_service_that_is_not_built_has_its_protocols_status(ask, path, status):
    """Each protocol has its own status for a service that is missing."""
    assert ask(path, upstreams={})[0].startswith(status)


def test_options_of_the_whole_server_are_answered(ask, service):
    """RFC 9110 9.3.7: `OPTIONS *` is no request for a page."""
    status, headers, body = ask("*", REQUEST_METHOD="OPTIONS")
    assert (status[:3], body, service.environs) == ("204", b"", [])
    assert {"GET", "PUT", "PATCH", "OPTIONS"} <= set(headers["Allow"].split(", "))
    assert "Content-Length" not in headers


def test_requests_that_come_too_fast_are_429(ask):
    """Each client has a bucket of its own, which refills with time."""
    rates = RateLimiter(rate=2, burst=3, clock=iter([0.0, 0.0, 0.0, 0.0, 0.0, 0.6]).__next__)
    assert [rates.wait("a") for _ in range(3)] == [0, 0, 0]
    assert rates.wait("a") >= 1
    assert rates.wait("b") == 0
    assert rates.wait("a") == 0


def test_a_429_has_the_protocols_form(ask, service):
    """Data Protector has a status and nothing else; loopback is never counted."""
    pipeline = Pipeline(
        own=service,
        upstreams={},
        directory=OnePartner(),
        options=PipelineOptions(rate=1, burst=1),
    )
    seen = []
    for address in ("192.0.2.1", "192.0.2.1", "127.0.0.1", "127.0.0.1"):
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/dataprotector", "REMOTE_ADDR": address}
        body = pipeline(
            environ, lambda status, headers, _error=None: seen.append((status[:3], "Retry-After" in dict(headers)))
        )
        assert b"".join(body) == b""
    assert seen == [("502", False), ("429", True), ("502", False), ("502", False)]


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/2.0", "filestore-svc"),
        ("/2.0/files/in/a", "filestore-svc"),
        ("/2.00", None),
        ("/diplomat/APIRequest", "diplomat-svc"),
        ("/ibmmq/rest/v9", "mqmft-svc"),
        ("/ibmmq/console", None),
        ("/dataprotector", "sertainty-svc"),
        ("/dataprotectors", None),
        ("/", None),
        ("", None),
    ],
)
def test_a_path_belongs_to_the_service_of_its_prefix(path, service):
    """A prefix ends where a segment ends."""
    route = find(path)
    assert (route.service if route else None) == service


def test_options_name_what_is_malformed():
    """All problems are reported at once."""
    needed = {"GATEWAY_DATABASE_URL": "sqlite:///x.db", "MFT_INTERNAL_KEYS": "key"}
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({**needed, "MFT_TRUSTED_PROXIES": "10.0.0.0/8,x", "MFT_PUBLIC_URL": "hub"})
    assert len(caught.value.problems) == 2
    assert Settings.from_env({**needed, "MFT_TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies == PROXIES


def test_services_behind_a_network_need_a_signer():
    """Services of another process trust signed identities alone."""

    class Far:
        remote = True

    with pytest.raises(ValueError, match="signer"):
        Pipeline(own=lambda *_: [], upstreams={"filestore-svc": Far()}, directory=OnePartner())
