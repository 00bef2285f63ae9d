"""Send the requests of one HTTP endpoint, and follow its redirects without giving credentials away."""

import base64
import ssl
import threading
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPSConnection
from typing import Final
from urllib.parse import quote, urlsplit

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH, requote_uri
from urllib3.util.wait import wait_for_read

from mft_common.endpoints.errors import Unsupported
from mft_common.endpoints.http.errors import http_errors
from mft_common.endpoints.http.pools import pool
from mft_common.endpoints.http.redirects import KindOf, Redirects, kind_of, pools
from mft_common.endpoints.names import check_path, printable
from mft_common.endpoints.targets import PORTS, Target
from mft_common.final_answers import FinalAnswer

# How many threads may use one endpoint at once, each with a connection that is kept.
AT_ONCE: Final = 16
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_MOST_REDIRECTS: Final = 10


class Connection:
    """The requests to one server. Proxies, credentials and certificates of the environment are not used."""

    def __init__(self, target: Target, kind_of: KindOf = kind_of) -> None:
        self.target = target
        self._ca = target.ca or DEFAULT_CA_BUNDLE_PATH
        self._timeout = urllib3.Timeout(connect=target.timeouts.connect, read=target.timeouts.idle)
        self._context: ssl.SSLContext | None = None
        self._idle: list[HTTPConnection] = []
        self._lock = threading.Lock()
        host = f"[{target.host}]" if ":" in target.host else target.host
        self.origin = f"{target.scheme}://{host}:{target.port or PORTS[target.scheme]}"
        self._redirects = Redirects(target, self.origin, kind_of)
        # Without the manager of pools, which parses each URL again: a quarter of a small request's processor time.
        self._pool = pool(
            target.host,
            target.port or None,
            maxsize=AT_ONCE,
            ssl_context=self._secure() if target.scheme == "https" else None,
        )
        # The connections to where redirects lead, made with the first one.
        self._away: urllib3.PoolManager | None = None
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

        Denied for a redirect that `Redirects` does not follow. Credentials are sent to the endpoint's own origin, and
        no more once a redirect has left it.
        """
        url, shown = f"{self.origin}{self.resource(path)}", printable(path)
        sent, left = {**self.headers, **(headers or {})}, False
        for _ in range(_MOST_REDIRECTS):
            with http_errors(shown):
                to = self._pools_away() if left else self._pool
                answer = to.urlopen(
                    method,
                    url if left else _resource_of(url),
                    headers=sent,
                    timeout=self._timeout,
                    retries=False,
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
            url = self._redirects.follow(url, location, shown)
            if self._redirects.leaves(url):
                left = True
                sent = {name: value for name, value in sent.items() if name != "Authorization"}
        raise Unsupported(f"{shown}: the server redirects more than {_MOST_REDIRECTS} times")

    def open_upload(self) -> HTTPConnection:
        """Return a connection to the server itself on which blocks can be sent one by one, used before or new."""
        while (idle := self._take_idle()) is not None:
            # Bytes that nobody asked for, the end of the connection among them, make it useless.
            if idle.sock is not None and not wait_for_read(idle.sock, 0):
                return idle
            idle.close()
        target = self.target
        if target.scheme == "https":
            new: HTTPConnection = HTTPSConnection(
                target.host, target.port or None, timeout=target.timeouts.connect, context=self._secure()
            )
        else:
            new = HTTPConnection(target.host, target.port or None, timeout=target.timeouts.connect)
        new.response_class = FinalAnswer
        new.connect()
        new.sock.settimeout(target.timeouts.idle)
        return new

    def keep_upload(self, used: HTTPConnection) -> None:
        """Keep a connection whose answer was read to its end for the next upload."""
        with self._lock:
            self._idle.append(used)

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        if self._away is not None:
            self._away.clear()
        while (idle := self._take_idle()) is not None:
            idle.close()

    def _take_idle(self) -> HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _pools_away(self) -> urllib3.PoolManager:
        with self._lock:
            if self._away is None:
                self._away = pools(self._redirects.check, most=AT_ONCE, context=self._secure())
            return self._away

    def _secure(self) -> ssl.SSLContext:
        """Return the TLS settings of this endpoint: to make them takes 10 ms."""
        if self._context is None:
            with http_errors(self.target.shown):
                self._context = ssl.create_default_context(cafile=self._ca)
        return self._context


def _resource_of(url: str) -> str:
    """Return path and query of a URL."""
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
