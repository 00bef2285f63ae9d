"""Know a scanner: what its service can do, and the connections to it."""

import ssl
import time
from dataclasses import dataclass
from typing import Final

from filestore_svc.domain.scanning import Method, Scan
from filestore_svc.wire.icap import requests
from filestore_svc.wire.icap.answers import Answer
from filestore_svc.wire.icap.connections import Connection, Connections
from filestore_svc.wire.icap.exams import Exam
from filestore_svc.wire.icap.failures import ScannerAway

_TTL_S: Final = 3600
_LONGEST_PREVIEW: Final = 1 << 20
# Whoever asks for readiness does not wait as long as a verdict may take.
_PING_S: Final = 5.0


@dataclass(frozen=True)
class Abilities:
    """What OPTIONS told: how a content is shown, how much of it ahead, and until when this holds."""

    method: Method
    preview: int | None
    tag: str
    until: float


class Scanner:
    """A scanner, for all threads of this process."""

    def __init__(self, scan: Scan, tls: ssl.SSLContext | None = None) -> None:
        self._scan = scan
        if scan.place.tls and tls is None:
            tls = ssl.create_default_context()
        self._tls = tls
        self._connections = Connections(lambda: Connection(scan.place, tls, scan.timeout))
        self._abilities: Abilities | None = None

    def exam(self, path: str, size: int | None, *, patient: bool) -> Exam | None:
        """Begin to show a content that is to be stored as `path`; ScannerAway.

        None where its connections are all in use and the caller is not `patient`. A patient one gets a new connection.
        """
        abilities = self._abilities
        if abilities is None or abilities.until < time.monotonic():
            abilities = self._ask()
        connection = self._connections.take(wait=self._scan.timeout if patient else 0)
        if connection is None and patient:
            raise ScannerAway("the scanner has too much to do")
        if connection is None:
            return None
        head = requests.head(self._scan.place, abilities.method, path, size, abilities.preview)
        return Exam(connection, abilities.method, head, abilities.preview, self._release)

    def ping(self) -> None:
        """Ask on a connection of its own what the service can do; ScannerAway."""
        connection = Connection(self._scan.place, self._tls, min(self._scan.timeout, _PING_S))
        try:
            self._learn(connection)
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._connections.close()

    def _ask(self) -> Abilities:
        connection = self._connections.take(wait=self._scan.timeout)
        if connection is None:
            raise ScannerAway("the scanner has too much to do")
        try:
            abilities, answer = self._learn(connection)
        except BaseException:
            self._connections.drop(connection)
            raise
        self._release(connection, answer, reusable=True)
        return abilities

    def _learn(self, connection: Connection) -> tuple[Abilities, Answer]:
        answer = Answer()
        connection.send(requests.options(self._scan.place), answer, lambda: answer.complete)
        connection.listen(answer, lambda: answer.complete)
        abilities = _abilities(answer, self._scan.method)
        self._connections.most = _whole(answer.headers.get("max-connections", "")) or None
        self._abilities = abilities
        return abilities, answer

    def _release(self, connection: Connection, answer: Answer, reusable: bool) -> None:
        """Take a connection back, and ask anew for the options of a service that says it has changed."""
        abilities = self._abilities
        if abilities is not None and answer.status and answer.headers.get("istag", abilities.tag) != abilities.tag:
            self._abilities = None
        closing = "close" in answer.headers.get("connection", "").lower()
        if reusable and answer.exact and not closing:
            self._connections.keep(connection)
        else:
            self._connections.drop(connection)


def _abilities(answer: Answer, wanted: Method | None) -> Abilities:
    """Read OPTIONS. An upload is a request, so REQMOD is taken where the service has both; ScannerAway for neither."""
    if answer.status != 200:
        raise ScannerAway(f"the scanner answered {answer.status} when it was asked for its options")
    methods = {each.strip().upper() for each in answer.headers.get("methods", "").split(",")}
    known: list[Method] = [wanted] if wanted else ["REQMOD", "RESPMOD"]
    method = next((each for each in known if each in methods), None)
    if method is None:
        raise ScannerAway(f"the scanner's service has no {' and no '.join(known)}")
    preview = _whole(answer.headers.get("preview", ""))
    return Abilities(
        method,
        None if preview is None else min(preview, _LONGEST_PREVIEW),
        answer.headers.get("istag", ""),
        time.monotonic() + (_whole(answer.headers.get("options-ttl", "")) or _TTL_S),
    )


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
