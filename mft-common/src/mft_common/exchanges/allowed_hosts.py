"""Decide which hosts and addresses a request may reach whose URL somebody else has chosen."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# A host's name or address, with `*` for any characters; an IPv6 address stands in brackets; a port from 1 on.
_ENTRY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._*-]+)(?::([0-9]{1,5}))?", re.ASCII)
_LOCALHOST: Final = "localhost"
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
# Metadata services of clouds that are on no link: Amazon's and Google's by IPv6, Alibaba's, Oracle's, Azure's.
_METADATA: Final = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"))
)
_THIS_NETWORK: Final = ipaddress.ip_network("0.0.0.0/8")
_MOST_PORT: Final = 65_535


@dataclass(frozen=True)
class _Entry:
    """One entry of the list; `port` is None for any."""

    host: str
    port: int | None

    def matches(self, host: str, port: int) -> bool:
        if self.port not in (None, port):
            return False
        return re.fullmatch(".*".join(map(re.escape, self.host.split("*"))), host) is not None


class AllowedHosts:
    """The hosts of a list: names or addresses, each with a port or for any, in which `*` stands for any characters.

    Addresses of this machine and of its link, among them those of the metadata services of clouds, are allowed only
    where the list has them themselves: a pattern, or a name that has such an address, does not allow them.
    """

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self._entries = tuple(entries)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Read `HOST`, `HOST:PORT`, `*.example.com`, `[::1]:8080`; ValueError names a text that is none of these."""
        return cls(map(_entry, texts))

    def allows(self, host: str, port: int) -> bool:
        """Return whether a URL with this host, without brackets, and this port may be asked for."""
        address = _address(host)
        if address is None:
            return any(entry.matches(_name(host), port) for entry in self._entries)
        if any(entry.matches(str(address), port) for entry in self._entries):
            return self.permits(host, str(address), port)
        return False

    def permits(self, host: str, address: str, port: int) -> bool:
        """Return whether a connection may be made to an address that was found for an allowed host's name."""
        found = _address(address)
        if found is None:
            return False
        if not _is_special(found):
            return True
        names = {str(found)}
        if found.is_loopback and _name(host) == _LOCALHOST:
            names.add(_LOCALHOST)
        return any(entry.host in names and entry.port in (None, port) for entry in self._entries)


def _entry(text: str) -> _Entry:
    match = _ENTRY.fullmatch(text)
    port = int(match[2]) if match and match[2] else None
    if match is None or (port is not None and not 1 <= port <= _MOST_PORT):
        raise ValueError(f"{text!r} is no host such as partner.example, *.example.com:8443 or [::1]:8080")
    host = _name(match[1].strip("[]"))
    if match[1].startswith("[") and _address(host) is None:
        raise ValueError(f"{text!r} has no IPv6 address in its brackets")
    return _Entry(host if (address := _address(host)) is None else str(address), port)


def _name(host: str) -> str:
    """Return a name as names are compared; the dot at the end of a full one is left out."""
    return host.lower().rstrip(".")


def _address(text: str) -> _Address | None:
    """Return the address that a text stands for, None for a name.

    The system takes `127.1`, `0x7f000001` and `2130706433` for addresses too. An IPv4 address within an IPv6 one
    counts as itself.
    """
    try:
        found: _Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(text))
        except (OSError, ValueError):
            return None
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64:
            return ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        return found.ipv4_mapped or found.sixtofour or found
    return found


def _is_special(address: _Address) -> bool:
    """Return whether an address is that of this machine or its link, or of no single machine."""
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address.is_reserved
        or address in _METADATA
        or (isinstance(address, ipaddress.IPv4Address) and address in _THIS_NETWORK)
    )
