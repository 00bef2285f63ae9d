"""Hold a scanner: the options of its service, and the connections to it."""

import ssl
import time
from dataclasses import dataclass
from typing import Final

from filestore_svc.domain.scanning import Method, Scan
from filestore_svc.wire.icap import requests
from filestore_svc.wire.icap.connections import Connection, ConnectionPool
from filestore_svc.wire.icap.errors import ScannerAway
from filestore_svc.wire.icap.responses import IcapResponse
from filestore_svc.wire.icap.transactions import ScanTransaction

_TTL_S: Final = 3600
_LONGEST_PREVIEW: Final = 1 << 20
# A readiness probe waits less long than an upload waits for its verdict.
_PING_S: Final = 5.0


@dataclass(frozen=True)
class Abilities:
    """The options of the service: method, preview size, tag, and the time until which they are valid."""

    method: Method
    preview: int | None
    tag: str
    until: float


class Scanner:
    """A scanner, shared by all threads of this process."""

    def __init__(self, scan: Scan, tls: ssl.SSLContext | None = None) -> None:
        self._scan = scan
        if scan.place.tls and tls is None:
            tls = ssl.create_default_context()
        self._tls = tls
        self._pool = ConnectionPool(lambda: Connection(scan.place, tls, scan.timeout))
        self._abilities: Abilities | None = None

    def begin(self, path: str, size: int | None, *, patient: bool) -> ScanTransaction | None:
        """Begin the scan of a content that is to be stored as `path`; ScannerAway.

        Return None where all connections are in use and the caller is not `patient`. A patient caller gets a new
        connection.
        """
        abilities = self._abilities
        if abilities is None or abilities.until < time.monotonic():
            abilities = self._ask()
        connection = self._pool.take(wait=self._scan.timeout if patient else 0)
        if connection is None and patient:
            raise ScannerAway("the scanner has too much to do")
        if connection is None:
            return None
        head = requests.head(self._scan.place, abilities.method, path, size, abilities.preview)
        return ScanTransaction(connection, abilities.method, head, abilities.preview, self._release)

    def ping(self) -> None:
        """Request the options on a separate connection; ScannerAway."""
        connection = Connection(self._scan.place, self._tls, min(self._scan.timeout, _PING_S))
        try:
            self._learn(connection)
        finally:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _ask(self) -> Abilities:
        connection = self._pool.take(wait=self._scan.timeout)
        if connection is None:
            raise ScannerAway("the scanner has too much to do")
        try:
            abilities, response = self._learn(connection)
        except BaseException:
            self._pool.drop(connection)
            raise
        self._release(connection, response, reusable=True)
        return abilities

    def _learn(self, connection: Connection) -> tuple[Abilities, IcapResponse]:
        response = IcapResponse()
        connection.send(requests.options(self._scan.place), response, lambda: response.complete)
        connection.listen(response, lambda: response.complete)
        abilities = _abilities(response, self._scan.method)
        self._pool.most = _whole(response.headers.get("max-connections", "")) or None
        self._abilities = abilities
        return abilities, response

    def _release(self, connection: Connection, response: IcapResponse, reusable: bool) -> None:
        """Release a connection, and forget the options of a service whose tag has changed."""
        abilities = self._abilities
        if abilities is not None and response.status and response.headers.get("istag", abilities.tag) != abilities.tag:
            self._abilities = None
        closing = "close" in response.headers.get("connection", "").lower()
        if reusable and response.exact and not closing:
            self._pool.keep(connection)
        else:
            self._pool.drop(connection)


def _abilities(response: IcapResponse, wanted: Method | None) -> Abilities:
    """Read the options. REQMOD is preferred where the service has both methods; ScannerAway for neither."""
    if response.status != 200:
        raise ScannerAway(f"the scanner answered {response.status} when it was asked for its options")
    methods = {each.strip().upper() for each in response.headers.get("methods", "").split(",")}
    known: list[Method] = [wanted] if wanted else ["REQMOD", "RESPMOD"]
    method = next((each for each in known if each in methods), None)
    if method is None:
        raise ScannerAway(f"the scanner's service has no {' and no '.join(known)}")
    preview = _whole(response.headers.get("preview", ""))
    return Abilities(
        method,
        None if preview is None else min(preview, _LONGEST_PREVIEW),
        response.headers.get("istag", ""),
        time.monotonic() + (_whole(response.headers.get("options-ttl", "")) or _TTL_S),
    )


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
