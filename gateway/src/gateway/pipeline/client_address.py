"""Find out where a request comes from, believing forwarded headers of trusted proxies alone."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from gateway.pipeline.options import Network

_HOST = re.compile(r"(?:[0-9A-Za-z._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


@lru_cache(maxsize=4096)
def is_loopback(address: str) -> bool:
    """True for an address of this machine alone."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def within(address: str, networks: Sequence[Network]) -> bool:
    """True when `address` lies in one of `networks`."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network for network in networks)


def client(peer: str, forwarded_for: str, networks: Sequence[Network]) -> str:
    """Return the client's address: the rightmost one in X-Forwarded-For that is no proxy of ours.

    What stands further left was written by somebody we do not trust.
    """
    address = peer
    for part in reversed(forwarded_for.split(",")):
        candidate = part.strip().removeprefix("[").removesuffix("]")
        try:
            ipaddress.ip_address(candidate)
        except ValueError:
            break
        address = candidate
        if not within(candidate, networks):
            break
    return address


def last_host(value: str) -> str:
    """Return the last host of an X-Forwarded-Host, empty when it is malformed."""
    host = value.rpartition(",")[2].strip()
    return host if _HOST.fullmatch(host) else ""
