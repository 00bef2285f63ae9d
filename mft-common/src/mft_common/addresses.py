"""Compare the addresses of clients: loopback, networks, and what counts as one client."""

import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# The address of a client behind a proxy whose headers do not count, in the word of RFC 7239 6.2. It is no address, so
# that it lies in no network and is never loopback.
UNKNOWN: Final = "unknown"

# Headers that proxies add, or content delivery networks in front of them: a request with one of them was sent on.
_FORWARDING: Final = (
    *("HTTP_FORWARDED", "HTTP_X_FORWARDED", "HTTP_X_ORIGINAL_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"),
    *("HTTP_X_CLIENT_IP", "HTTP_X_CLUSTER_CLIENT_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_CLIENT_IP"),
    *("HTTP_CF_CONNECTING_IP", "HTTP_FASTLY_CLIENT_IP", "HTTP_X_ENVOY_EXTERNAL_ADDRESS"),
)


def parse(text: str) -> Address | None:
    """Return the address of a text, an IPv4 address mapped into IPv6 as IPv4; None for a text that is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if address.version == 6 else address


@lru_cache(maxsize=4096)
def is_loopback(text: str) -> bool:
    """True for an address of this machine alone."""
    address = parse(text)
    return address is not None and address.is_loopback


def is_within(text: str, networks: Sequence[Network]) -> bool:
    """True when the address lies in one of `networks`."""
    address = parse(text)
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=4096)
def client_network(text: str) -> str:
    """Return what limits count as one client: the /64 of an IPv6 address, which one client has whole; else `text`."""
    address = parse(text)
    if address is None:
        return text
    if address.version == 4:
        return str(address)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def is_forwarded(environ: Mapping[str, Any]) -> bool:
    """True when a request carries a header by which proxies say that they sent it on."""
    return _forward(tuple(environ))


# Most requests have the header names of an earlier one. Clients choose them, so few are kept.
@lru_cache(maxsize=64)
def _forward(names: tuple[str, ...]) -> bool:
    return any(name.startswith(_FORWARDING) for name in names)


def is_local(environ: Mapping[str, Any]) -> bool:
    """True when a request comes from this machine, and no proxy on it says that it sent the request on."""
    return is_loopback(environ.get("REMOTE_ADDR", "")) and not is_forwarded(environ)
