import pytest

from mft_common import addresses


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(text, loopback):
    """Each spelling of a loopback address counts, and a text that is no address does not."""
    assert addresses.is_loopback(text) is loopback


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("unknown", "unknown"),
    ],
)
def test_a_client_is_an_ipv4_address_or_a_64(text, client):
    """One client has a whole /64, so that limits count it as one."""
    assert addresses.client_network(text) == client


@pytest.mark.parametrize(
    "header", ["FORWARDED", "X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_REAL_IP", "VIA", "CF_CONNECTING_IP"]
)
def test_a_forwarded_request_is_not_local(header):
    """A proxy on this machine does not make its clients local."""
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "dock"}
    assert addresses.is_local(environ)
    assert not addresses.is_local({**environ, f"HTTP_{header}": "203.0.113.9"})
    assert not addresses.is_local({**environ, "REMOTE_ADDR": "192.0.2.1"})
