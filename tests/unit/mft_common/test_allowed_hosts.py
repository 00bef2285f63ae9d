"""The hosts that a request may reach whose URL somebody else has chosen."""

import pytest

from mft_common.exchanges import AllowedHosts


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("partner.example", "partner.example", 443, True),
        ("partner.example", "PARTNER.example.", 8443, True),
        ("partner.example:443", "partner.example", 8443, False),
        ("partner.example", "evil-partner.example", 443, False),
        ("partner.example", "partnerXexample", 443, False),
        ("*.example.com", "a.b.example.com", 80, True),
        ("*.example.com", "example.com", 80, False),
        ("*.example.com", "a.example.com.evil.test", 80, False),
        ("*:8443", "any.test", 8443, True),
        ("*:8443", "any.test", 443, False),
        ("10.1.*", "10.1.2.3", 80, True),
        ("10.1.*", "10.2.2.3", 80, False),
        ("10.1.2.3", "167838211", 80, True),
        ("[fd00::1]:80", "FD00:0::1", 80, True),
        ("[fd00::1]:80", "fd00::2", 80, False),
    ],
)
def test_a_host_is_allowed_by_its_name_or_a_pattern_and_its_port(entry, host, port, allowed):
    """Names are compared without their case and a last dot, addresses by their value."""
    assert AllowedHosts.of([entry]).allows(host, port) is allowed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1", "0x7f.1", "2130706433", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1",
        "169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "0.0.0.0", "::",
        "64:ff9b:1::a9fe:a9fe", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192",
        "168.63.129.16",
        "2002:7f00:1::1", "0.1.2.3", "224.0.0.1", "255.255.255.255", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_and_its_link_need_an_entry_of_their_own(address):
    """No pattern allows them, however they are written, and no name that has one."""
    hosts = AllowedHosts.of(["*", "*:80", "127.*", "169.254.*", "partner.test", "0.*"])
    assert not hosts.allows(address, 80)
    assert not hosts.permits("partner.test", address, 80)


def test_an_address_that_is_listed_itself_is_allowed_for_every_allowed_name():
    """It counts with its port, and `localhost` stands for the addresses of loopback where that is the name."""
    hosts = AllowedHosts.of(["127.0.0.1:8080", "partner.test", "localhost:99", "[::1]"])
    assert hosts.allows("127.0.0.1", 8080)
    assert hosts.allows("127.1", 8080)
    assert not hosts.allows("127.0.0.1", 8081)
    assert hosts.permits("partner.test", "127.0.0.1", 8080)
    assert not hosts.permits("partner.test", "127.0.0.2", 8080)
    assert hosts.permits("localhost", "127.0.0.1", 99)
    assert not hosts.permits("partner.test", "127.0.0.1", 99)
    assert not hosts.permits("localhost", "169.254.1.1", 99)
    assert hosts.permits("partner.test", "::1", 1)
    assert hosts.permits("partner.test", "10.0.0.1", 80)


def test_an_empty_list_allows_nothing():
    """The setting is empty by default."""
    hosts = AllowedHosts.of([])
    assert not hosts.allows("partner.example", 443)
    assert not hosts.allows("10.0.0.1", 443)


@pytest.mark.parametrize("text", ["", "a b", "http://x", "x:0", "x:65536", "x:", "x/", "[::1", "[zz]", "::1", "ü"])
def test_what_is_no_host_is_refused(text):
    """The start names it."""
    with pytest.raises(ValueError, match=r"is no host|has no IPv6"):
        AllowedHosts.of([text])
