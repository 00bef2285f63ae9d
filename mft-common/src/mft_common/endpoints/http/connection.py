"""Send the requests of one HTTP endpoint, and follow its redirects without giving credentials away."""

import base64
import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH, requote_uri
from urllib3.util.wait import wait_for_read

from mft_common.endpoints.errors import Denied, Unsupported
from mft_common.endpoints.http.errors import http_errors
from mft_common.endpoints.names import check_path, printable
from mft_common.endpoints.targets import Target

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_MOST_REDIRECTS: Final = 10
_PORTS: Final = {"http": 80, "https": 443}


class Connection:
    """The requests to one server. Proxies, credentials and certificates of the environment are not used."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._ca = target.ca or DEFAULT_CA_BUNDLE_PATH
        self._pool = urllib3.PoolManager(
            num_pools=4, maxsize=2, retries=False, cert_reqs="CERT_REQUIRED", ca_certs=self._ca
        )
        self._timeout = urllib3.Timeout(connect=target.timeouts.connect, read=target.timeouts.idle)
        self._context: ssl.SSLContext | None = None
        self._idle: HTTPConnection | None = None
        host = f"[{target.host}]" if ":" in target.host else target.host
        self.origin = f"{target.scheme}://{host}:{target.port or _PORTS[target.scheme]}"
        # `identity`: the length of an encoded body is not that of the file.
        self.headers: dict[str, str] = {"Accept-Encoding": "identity", "User-Agent": "crossdock"}
        if target.user:
            pair = base64.b64encode(f"{target.user}:{target.password}".encode("utf-8", "surrogateescape")).decode()
            self.headers["Authorization"] = f"Basic {pair}"

    def resource(self, path: str) -> str:
        """Return path and query of a file's URL; BadName."""
        file = quote(check_path(path), safe="/", errors="surrogateescape")
        query = f"?{self.target.query}" if self.target.query else ""
        return requote_uri(f"/{self.target.folder.strip('/')}/{file}".replace("//", "/") + query)

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        """Send a request without a body and return the answer, its body unread.

        Denied for a redirect to another host where the endpoint has credentials, and for one from https to http.
        """
        url, shown = f"{self.origin}{self.resource(path)}", printable(path)
        for _ in range(_MOST_REDIRECTS):
            with http_errors(shown):
                answer = self._pool.request(
                    method,
                    url,
                    headers={**self.headers, **(headers or {})},
                    timeout=self._timeout,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
                if method == "HEAD":
                    # Taking the body that is none gives the connection back for the next request.
                    answer.drain_conn()
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            answer.close()
            url = self._redirected(url, location, shown)
        raise Unsupported(f"{shown}: the server redirects more than {_MOST_REDIRECTS} times")

    def open_upload(self) -> HTTPConnection:
        """Return a connection to the server itself on which blocks can be sent one by one, used before or new."""
        idle, self._idle = self._idle, None
        if idle is not None:
            # Bytes that nobody asked for, the end of the connection among them, make it useless.
            if idle.sock is not None and not wait_for_read(idle.sock, 0):
                return idle
            idle.close()
        target = self.target
        if target.scheme == "https":
            if self._context is None:
                self._context = ssl.create_default_context(cafile=self._ca)
            new: HTTPConnection = HTTPSConnection(
                target.host, target.port or None, timeout=target.timeouts.connect, context=self._context
            )
        else:
            new = HTTPConnection(target.host, target.port or None, timeout=target.timeouts.connect)
        new.connect()
        new.sock.settimeout(target.timeouts.idle)
        return new

    def keep_upload(self, used: HTTPConnection) -> None:
        """Keep a connection whose answer was read to its end for the next upload."""
        if self._idle is not None:
            self._idle.close()
        self._idle = used

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.close()

    def _redirected(self, url: str, location: str, shown: str) -> str:
        target = urljoin(url, location)
        before, after = urlsplit(url), urlsplit(target)
        if after.scheme not in _PORTS or not after.hostname:
            raise Denied(f"{shown}: the server redirects to an address that is not of the web")
        if before.scheme == "https" and after.scheme == "http":
            raise Denied(f"{shown}: the server redirects from https to http")
        if self.target.user and not _same_host(urlsplit(self.origin), after):
            raise Denied(f"{shown}: the server redirects to {after.hostname}, which must not get the credentials")
        # Names and passwords inside a location would replace ours.
        return after._replace(netloc=after.netloc.rpartition("@")[2], fragment="").geturl()


def _same_host(one: SplitResult, other: SplitResult) -> bool:
    """Return whether both are one server: the same host, and the same port or the default ones of http and https."""
    if one.hostname != other.hostname:
        return False
    ports = (one.port or _PORTS[one.scheme], other.port or _PORTS[other.scheme])
    return ports[0] == ports[1] if one.scheme == other.scheme else ports == (80, 443)
