"""Send requests to filestore-svc over TCP, or on one machine over a Unix socket."""

import contextlib
import http.client
import json
import os
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from mft_common import ids, logs
from mft_common.endpoints.errors import BadName, Denied, DiskFull, Exists, NotFound, TransferError, Transient
from mft_common.identity import HEADER, SYSTEM, Identity, Signer
from mft_common.unix_sockets import UnixConnection

SERVICE: Final = "filestore-svc"
UNIX: Final = "unix:"
_CONNECT_S: Final = 10.0
_IDLE_S: Final = 60.0
_BLOCK: Final = 1 << 20
_ERRORS: Final[Mapping[int, type[TransferError]]] = {
    400: BadName,
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Exists,
    413: DiskFull,
    507: DiskFull,
}
_NO_OTHERS: Final[Mapping[int, type[TransferError]]] = {}
Statuses = Mapping[int, type[TransferError]]


class Calls:
    """Requests of one transfer to the internal service at `url` (`http://host:port` or `unix:PATH`).

    Each request has a connection of its own: none is kept that the other side may close meanwhile.
    """

    def __init__(self, url: str, signer: Signer, transfer_id: str | None) -> None:
        self._url = url
        self._signer = signer
        self._transfer_id = transfer_id

    def start(
        self, method: str, path: str, shown: str, *, headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None, length: int | None = None,
    ) -> http.client.HTTPConnection:  # fmt: skip
        """Connect and send the head of a request, whose body of `length` bytes the caller sends; Transient."""
        target = f"/internal/v1/{path}" + (f"?{urlencode(query)}" if query else "")
        with answering(shown):
            connection = self._connection()
            try:
                connection.connect()
                connection.sock.settimeout(_IDLE_S)
                connection.putrequest(method, target, skip_accept_encoding=True)
                for name, value in {**self._identity(), "Connection": "close", **(headers or {})}.items():
                    connection.putheader(name, value)
                if length is not None or method in ("POST", "PATCH"):
                    connection.putheader("Content-Length", str(length or 0))
                connection.endheaders()
            except BaseException:
                connection.close()
                raise
        return connection

    def call(self, method: str, path: str, shown: str, *, statuses: Statuses = _NO_OTHERS, **options: Any) -> Any:
        """Return the JSON of an answer, None for 202; every refusal is a TransferError."""
        connection = self.start(method, path, shown, **options)
        with contextlib.closing(connection), answering(shown), connection.getresponse() as answer:
            return content(answer, shown, statuses)

    def opened(
        self, method: str, path: str, shown: str, **options: Any
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Return a connection and an answer whose body the caller reads; the caller closes the connection."""
        connection = self.start(method, path, shown, **options)
        try:
            with answering(shown):
                answer = connection.getresponse()
            try:
                check(answer, shown)
            except BaseException:
                answer.close()
                raise
        except BaseException:
            connection.close()
            raise
        return connection, answer

    def _connection(self) -> http.client.HTTPConnection:
        if self._url.startswith(UNIX):
            return UnixConnection(Path(self._url.removeprefix(UNIX)), timeout=_CONNECT_S)
        parts = urlsplit(self._url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=_CONNECT_S, blocksize=_BLOCK)

    def _identity(self) -> dict[str, str]:
        request_id = logs.request_id() or ids.new_request_id()
        identity = Identity(request_id=request_id, address="", account=SYSTEM, transfer_id=self._transfer_id)
        return {HEADER: self._signer.dumps(identity, SERVICE)}


@contextlib.contextmanager
def answering(shown: str) -> Any:
    """Turn every error of the connection into Transient."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise Transient(f"{shown}: filestore does not answer") from error


def content(answer: http.client.HTTPResponse, shown: str, statuses: Statuses = _NO_OTHERS) -> Any:
    """Return the JSON of an answer, None for 202; raise a refusal."""
    check(answer, shown, statuses)
    body = answer.read()
    if answer.status == HTTPStatus.ACCEPTED:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise Transient(f"{shown}: filestore's answer cannot be read") from error


def check(answer: http.client.HTTPResponse, shown: str, statuses: Statuses = _NO_OTHERS) -> None:
    """Raise the error of a refusal."""
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return
    message = f"filestore answered {answer.status}"
    with contextlib.suppress(ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
        message = str(json.loads(answer.read())["message"]) or message
    raise {**_ERRORS, **statuses}.get(answer.status, Transient)(f"{shown}: {message}")


def quoted(*steps: str) -> str:
    """Return steps of a path as they stand in a URL."""
    return quote("/".join(step for step in steps if step), safe="/", errors="surrogateescape")


def spool_folder(url: str) -> str | None:
    """Return the folder in which a body of unknown size waits: beside the socket, else the system's for such files."""
    return os.path.dirname(url.removeprefix(UNIX)) if url.startswith(UNIX) else None  # noqa: PTH120 -- a text is wanted
