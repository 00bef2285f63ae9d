"""Send the requests of one HTTP endpoint, and follow its redirects without giving credentials away."""

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import requests
from requests.utils import requote_uri

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
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = target.ca or True
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

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Send a request without a body and return the answer, its body unread.

        Denied for a redirect to another host where the endpoint has credentials, and for one from https to http.
        """
        url, shown = f"{self.origin}{self.resource(path)}", printable(path)
        timeouts = (self.target.timeouts.connect, self.target.timeouts.idle)
        for _ in range(_MOST_REDIRECTS):
            with http_errors(shown):
                answer = self._session.request(
                    method,
                    url,
                    headers={**self.headers, **(headers or {})},
                    timeout=timeouts,
                    allow_redirects=False,
                    stream=True,
                )
            if answer.status_code not in _REDIRECTS or not answer.headers.get("Location"):
                # A server's cookies have no meaning for the next file.
                self._session.cookies.clear()
                return answer
            answer.close()
            url = self._redirected(url, answer.headers["Location"], shown)
        raise Unsupported(f"{shown}: the server redirects more than {_MOST_REDIRECTS} times")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

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
