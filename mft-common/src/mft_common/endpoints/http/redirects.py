"""Decide which redirects are followed, and connect to no address that a redirect must not lead to."""

import socket
import ssl
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_network
from typing import Final, Literal
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from mft_common.addresses import Address, parse
from mft_common.endpoints.errors import Denied
from mft_common.endpoints.http.pools import Plain, Secure, manager
from mft_common.endpoints.targets import PORTS, WEB, Target

Kind = Literal["public", "private", "loopback", "link-local", "unusable"]
KindOf = Callable[[str], Kind]
# An IPv4 address in these is written in the last four bytes. (RFC 6052)
_TRANSLATED: Final = ip_network("64:ff9b::/96")


def kind_of(text: str) -> Kind:
    """Return from where an address can be reached; an IPv4 address inside an IPv6 address counts as itself."""
    address = parse(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = _inside(address)
    if address is None or address.is_unspecified or address.is_multicast:
        return "unusable"
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    return "public" if address.is_global else "private"


def _inside(address: IPv6Address) -> Address:
    if address in _TRANSLATED:
        return parse(".".join(str(byte) for byte in address.packed[-4:])) or address
    return address.sixtofour or (address.teredo[1] if address.teredo else address)


class Redirects:
    """The redirects that one endpoint follows.

    A redirect to another origin (scheme, host and port) is followed where `target.redirects` names its host, and from
    http to https on the same host; never from https to http. Of these none leads to an address of this machine or of
    a local network, unless the endpoint's own host has addresses of the same kind.
    """

    def __init__(self, target: Target, origin: str, kind_of: KindOf = kind_of) -> None:
        self._target = target
        self._origin = urlsplit(origin)
        self._kind_of = kind_of

    def leaves(self, url: str) -> bool:
        """Return whether a URL is of another origin than the endpoint."""
        return _place(urlsplit(url)) != _place(self._origin)

    def follow(self, url: str, location: str, shown: str) -> str:
        """Return the URL to which an answer to `url` leads; Denied."""
        try:
            after = urlsplit(urljoin(url, location))
            place = _place(after)
        except ValueError as error:
            raise Denied(f"{shown}: the server redirects to an address that cannot be read") from error
        if after.scheme not in WEB or not after.hostname:
            raise Denied(f"{shown}: the server redirects to an address that is not of the web")
        if urlsplit(url).scheme == "https" and after.scheme == "http":
            raise Denied(f"{shown}: the server redirects from https to http")
        if place != _place(self._origin) and not self._allows(after):
            if self._target.user:
                raise Denied(f"{shown}: the server redirects to {after.hostname}, which must not get the credentials")
            raise Denied(f"{shown}: the server redirects to {after.hostname}, which `redirects` does not name")
        # Names and passwords inside a location would replace ours.
        return after._replace(netloc=after.netloc.rpartition("@")[2], fragment="").geturl()

    def check(self, host: str, addresses: Sequence[str]) -> None:
        """Raise Denied for a host with an address to which no redirect may lead."""
        kinds = {self._kind_of(address) for address in addresses} - {"public"}
        if kinds and ("unusable" in kinds or not kinds <= self._own_kinds()):
            raise Denied(f"the server redirects to {host}, which has an address inside a network")

    def _own_kinds(self) -> set[Kind]:
        try:
            found = _resolve(self._origin.hostname or "", _place(self._origin)[2])
        except (OSError, UnicodeError):
            return set()
        return {self._kind_of(address) for address in found}

    def _allows(self, after: SplitResult) -> bool:
        scheme, host, port = _place(after)
        own = _place(self._origin)
        if not self._target.user and (own, (scheme, port)) == (("http", host, 80), ("https", 443)):
            return True
        return any(_names(entry, host, port, usual=PORTS[scheme]) for entry in self._target.redirects)


def pools(check: Callable[[str, Sequence[str]], None], *, most: int, context: ssl.SSLContext) -> urllib3.PoolManager:
    """Return connections whose addresses are checked after the name was resolved and before anything is sent.

    The address that was checked is the one that is connected to, so that a name cannot get another one in between.
    """

    class PlainAway(Plain):
        def _new_conn(self) -> socket.socket:
            return _connected(self, check)

    class SecureAway(Secure):
        def _new_conn(self) -> socket.socket:
            return _connected(self, check)

    return manager(PlainAway, SecureAway, num_pools=4, maxsize=most, ssl_context=context)


def _connected(connection: HTTPConnection, check: Callable[[str, Sequence[str]], None]) -> socket.socket:
    try:
        addresses = _resolve(connection.host, connection.port)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    check(connection.host, addresses)
    failed: OSError | None = None
    for address in addresses:
        try:
            return create_connection(
                (address, connection.port), connection.timeout, socket_options=connection.socket_options
            )
        except OSError as error:
            failed = error
    raise NewConnectionError(connection, "no address of the host can be connected to") from failed


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _place(url: SplitResult) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL; ValueError for a port that is none."""
    return url.scheme, (url.hostname or "").lower(), url.port or PORTS.get(url.scheme, 0)


def _names(entry: str, host: str, port: int, *, usual: int) -> bool:
    """Return whether an entry of `redirects` names a host: `host`, `host:port`, `*.domain`, or `*` for any."""
    named, colon, at = entry.rpartition(":")
    if not colon or not at.isdigit():
        named, at = entry, str(usual)
    named = named.strip("[]").lower()
    if str(port) != at:
        return False
    return named in ("*", host) or (named.startswith("*.") and host.endswith(named[1:]))
