"""Pages of listed origins, and of others, on a protocol that the gateway speaks the CORS protocol for."""

import pytest

from gateway.pipeline import Pipeline
from gateway.pipeline.cross_origin import ListedOrigins
from mft_common.http1 import WsgiUpstream

PAGE = "https://portal.example"
ASK = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "if-none-match"}


class Origins:
    """A directory that knows origins and no session."""

    def __init__(self, *listed):
        self.listed = frozenset(listed)
        self.asked = 0

    def origins(self, service):
        """List those of filestore-svc."""
        assert service == "filestore-svc"
        self.asked += 1
        return self.listed

    def find_session(self, _service, _token):
        """Find none."""
        return


@pytest.fixture
def ask():
    """Return a function that sends a request and gives back status, headers and how often the service was called."""

    def send(method="PUT", path="/2.0/files/in/a", origin=PAGE, listed=(PAGE,), upstreams=None, **fields):
        calls = []

        def service(environ, start_response):
            calls.append(environ)
            start_response("201 Created", [("Fileset", "7"), ("Vary", "Accept")])
            return [b""]

        upstream = WsgiUpstream(service)
        pipeline = Pipeline(
            own=service,
            upstreams={"filestore-svc": upstream, "mqmft-svc": upstream} if upstreams is None else upstreams,
            directory=Origins(*listed),
        )
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1", **fields}
        if origin is not None:
            environ["HTTP_ORIGIN"] = origin
        started = []
        list(pipeline(environ, lambda status, headers, _error=None: started.append((status, headers))))
        status, headers = started[-1]
        return status[:3], headers, len(calls)

    return send


def names(headers):
    """Return the names of cross-origin headers."""
    return {name for name, _ in headers if name.startswith("Access-Control-")}


def test_the_preflight_of_a_listed_page_is_answered(ask):
    """Methods, request headers and the use of credentials are told without credentials and without the service."""
    status, headers, calls = ask("OPTIONS", **ASK)
    told = dict(headers)
    assert (status, calls) == ("204", 0)
    assert told["Access-Control-Allow-Origin"] == PAGE
    assert told["Access-Control-Allow-Credentials"] == "true"
    assert {"PUT", "PATCH", "DELETE", "POST", "HEAD"} <= set(told["Access-Control-Allow-Methods"].split(", "))
    allowed = set(told["Access-Control-Allow-Headers"].lower().split(", "))
    assert {"content-type", "if-match", "range", "repr-digest", "tus-resumable", "upload-offset"} <= allowed
    assert ("Vary", "Origin") in headers
    assert "Content-Length" not in told


def test_a_listed_page_reads_the_response(ask):
    """Location, offsets, the fileset and the entity tag are exposed, and caches keep origins apart."""
    status, headers, calls = ask()
    told = dict(headers)
    assert (status, calls) == ("201", 1)
    assert (told["Access-Control-Allow-Origin"], told["Access-Control-Allow-Credentials"]) == (PAGE, "true")
    exposed = set(told["Access-Control-Expose-Headers"].split(", "))
    assert {"Location", "Upload-Offset", "Upload-Length", "Tus-Resumable", "Fileset", "ETag"} <= exposed
    assert [value for name, value in headers if name == "Vary"] == ["Accept", "Origin"]


def test_a_listed_page_reads_errors_of_the_gateway(ask):
    """A response that the gateway makes itself is as readable as one of the service."""
    status, headers, calls = ask(upstreams={})
    assert (status, calls) == ("404", 0)
    assert dict(headers)["Access-Control-Allow-Origin"] == PAGE


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://portal.example", f"{PAGE}.x.example"])
def test_other_pages_get_nothing(ask, origin):
    """No cross-origin header, and a preflight that the service does not know."""
    for method in ("PUT", "OPTIONS"):
        status, headers, calls = ask(method, origin=origin, **ASK)
        assert (status, names(headers), calls) == ("201", set(), 1)


def test_without_an_origin_caches_are_told(ask):
    """A response to no page varies by origin where origins are listed, and not where none are."""
    assert ("Vary", "Origin") in ask(origin=None)[1]
    assert ("Vary", "Origin") not in ask(origin=None, listed=())[1]
    assert names(ask(listed=())[1]) == set()


def test_a_service_with_headers_of_its_own_keeps_them(ask):
    """IBM MQ: the service answers for its origins itself (item 58)."""
    _, headers, calls = ask("OPTIONS", "/ibmmq/rest/v1/login", listed=(), **ASK)
    assert (names(headers), calls) == (set(), 1)


def test_origins_are_read_again_after_seconds():
    """A changed configuration holds within five seconds, and the requests between cost no look-up."""
    source, times = Origins(PAGE), iter([0.0, 4.9, 5.0])
    listed = ListedOrigins(source, lambda: next(times))
    assert [set(listed.of("filestore-svc")) for _ in range(2)] == [{PAGE}] * 2
    source.listed = frozenset()
    assert (set(listed.of("filestore-svc")), source.asked) == (set(), 2)
