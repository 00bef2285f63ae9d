"""The client's address, and what a proxy on this machine changes about it."""

import ipaddress

import pytest

from gateway.pipeline import Pipeline, PipelineOptions
from gateway.pipeline.client_address import forwarded_client, last_host

PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)
LOCAL_PROXY = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def seen():
    """Return a function that sends a request to a pipeline and gives back the address that the pages see."""

    def send(peer, *, options=None, **headers):
        environs = []

        def page(environ, start_response):
            environs.append(environ)
            start_response("200 OK", [])
            return []

        pipeline = Pipeline(own=page, upstreams={}, directory=None, options=options)
        request = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/metrics",
            "REMOTE_ADDR": peer,
            "HTTP_HOST": "dock",
            **headers,
        }
        list(pipeline(request, lambda *_: None))
        return environs[0]["REMOTE_ADDR"]

    return send


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"])
def test_a_proxy_on_this_machine_has_to_be_trusted(seen, peer, header):
    """Clients of a proxy that is not in MFT_TRUSTED_PROXIES are no clients of this machine."""
    assert seen(peer) == peer
    assert seen(peer, **{header: "127.0.0.1"}) == "unknown"


def test_a_trusted_proxy_on_this_machine_names_its_clients(seen):
    """Without a name in X-Forwarded-For the client is unknown, and not the proxy itself."""
    options = PipelineOptions(trusted_proxies=LOCAL_PROXY)
    assert seen("127.0.0.1", options=options) == "127.0.0.1"
    assert seen("127.0.0.1", options=options, HTTP_X_FORWARDED_FOR="203.0.113.9") == "203.0.113.9"
    assert seen("127.0.0.1", options=options, HTTP_X_FORWARDED_FOR="127.0.0.1, 203.0.113.9") == "203.0.113.9"
    assert seen("127.0.0.1", options=options, HTTP_X_FORWARDED_FOR="nonsense") == "unknown"
    assert seen("127.0.0.1", options=options, HTTP_X_REAL_IP="203.0.113.9") == "unknown"


@pytest.mark.parametrize("claim", ["127.0.0.1", "::1", "::ffff:127.0.0.9", "127.0.0.1, 10.1.1.1"])
def test_a_proxy_on_another_machine_has_no_client_on_this_one(seen, claim):
    """A client within the trusted networks cannot name loopback and get what only this machine may."""
    options = PipelineOptions(trusted_proxies=(*PROXIES, *LOCAL_PROXY))
    assert seen("10.0.0.2", options=options, HTTP_X_FORWARDED_FOR=claim) == "unknown"
    assert seen("10.0.0.2", options=options, HTTP_X_FORWARDED_FOR=f"{claim}, 203.0.113.9") == "203.0.113.9"
    assert seen("127.0.0.1", options=options, HTTP_X_FORWARDED_FOR="127.0.0.1") == "127.0.0.1"


def test_a_port_published_on_loopback_counts_as_loopback(seen):
    """Where every peer is local, one that forwards is not; elsewhere a peer of the network keeps its address."""
    assert seen("172.18.0.1", options=PipelineOptions(all_peers_local=True)) == "172.18.0.1"
    assert seen("172.18.0.1", options=PipelineOptions(all_peers_local=True), HTTP_VIA="1.1 cache") == "unknown"
    assert seen("192.0.2.7", HTTP_X_FORWARDED_FOR="127.0.0.1") == "192.0.2.7"


def test_clients_of_a_local_proxy_share_the_rate_limit():
    """Loopback is not limited; clients of a proxy that does not count are."""
    statuses = []
    pipeline = Pipeline(own=None, upstreams={}, directory=None, options=PipelineOptions(rate=1, burst=1))
    for more in ({}, {}, {"HTTP_VIA": "1.1 cache"}, {"HTTP_VIA": "1.1 cache"}):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/diplomat/APIRequest", "REMOTE_ADDR": "127.0.0.1", **more}
        list(pipeline(environ, lambda status, *_: statuses.append(status[:3])))
    assert statuses == ["501", "501", "501", "400"]


def test_an_ipv6_client_is_limited_by_its_64():
    """A client that takes a new address of its /64 for each request is limited as one."""
    statuses = []
    pipeline = Pipeline(own=None, upstreams={}, directory=None, options=PipelineOptions(rate=1, burst=1))
    for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/diplomat/APIRequest", "REMOTE_ADDR": address}
        list(pipeline(environ, lambda status, *_: statuses.append(status[:3])))
    assert statuses == ["501", "400", "501"]


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("", None),
        ("nonsense", None),
        ("1.2.3.4, nonsense", None),
        ("10.3.3.3", "10.3.3.3"),
        ("x, 10.2.2.2", "10.2.2.2"),
        ("fe80::1%" + "a" * 6000 + ", 10.2.2.2", "10.2.2.2"),
    ],
)
def test_a_malformed_forwarded_for_is_not_believed(forwarded, address):
    """The chain ends where it cannot be read."""
    assert forwarded_client(forwarded, PROXIES) == address


def test_a_forwarded_host_must_look_like_one():
    """Only the last one counts, and only when it is a host."""
    assert last_host("a, b:81") == "b:81"
    assert last_host("b/x") == ""
