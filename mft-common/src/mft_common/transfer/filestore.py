"""The `filestore:` endpoint: a folder of the hub's own store, through its internal interface."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote
from wsgiref.types import WSGIApplication

import requests
import urllib3

from mft_common import environ_keys, ids, logs
from mft_common.endpoints.errors import (
    BadName,
    Changed,
    Denied,
    DiskFull,
    Exists,
    Mismatch,
    NotFound,
    TransferError,
    Transient,
)
from mft_common.endpoints.names import Patterns, check_name
from mft_common.http1 import Upstream
from mft_common.http1.unix_adapter import UnixAdapter
from mft_common.http1.wsgi_adapter import WsgiAdapter
from mft_common.identity import HEADER, SYSTEM, Identity, Signer
from mft_common.transfer.endpoint import Entry, IfExists, Skipped, Stored, Verify, ignore

SERVICE: Final = "filestore-svc"
_IN_PROCESS: Final = "http://filestore-svc"
_UNIX: Final = "unix:"
_PAGE: Final = 1000
_TIMEOUT_S: Final = (10.0, 60.0)
_STATUS: Final[dict[int, type[TransferError]]] = {
    400: BadName,
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Exists,
    413: DiskFull,
    507: DiskFull,
}
_NO_OTHERS: Final[Mapping[int, type[TransferError]]] = {}


class FilestoreUpstream:
    """The way to filestore-svc: a URL with a signer, or in this process its WSGI application or an Upstream to it.

    `unix:PATH` is the URL of a server on a Unix socket of this machine.
    """

    def __init__(self, upstream: str | WSGIApplication | Upstream, signer: Signer | None = None) -> None:
        if isinstance(upstream, str) and signer is None:
            raise ValueError("a filestore-svc of another process accepts signed identities only")
        self._application: WSGIApplication | None = None
        if not isinstance(upstream, str):
            self._application = cast("WSGIApplication", getattr(upstream, "call", upstream))
        self._base = upstream.rstrip("/") if isinstance(upstream, str) else _IN_PROCESS
        self._socket: Path | None = None
        if self._base.startswith(_UNIX):
            self._socket, self._base = Path(self._base.removeprefix(_UNIX)), _IN_PROCESS
        self._signer = signer

    def open(self, folder: str, transfer_id: str | None = None) -> "FilestoreEndpoint":
        """Return an endpoint for `/folder`; its bytes belong to the transfer `transfer_id`."""
        session = requests.Session()
        # Proxies and password files of the environment do not apply to the hub's internal calls.
        session.trust_env = False
        if self._application is not None:
            session.mount(
                _IN_PROCESS, WsgiAdapter(self._application, lambda: {environ_keys.IDENTITY: _identity(transfer_id)})
            )
        if self._socket is not None:
            session.mount(_IN_PROCESS, UnixAdapter(self._socket))
        return FilestoreEndpoint(session, self._base, folder, lambda: self._headers(transfer_id))

    def _headers(self, transfer_id: str | None) -> dict[str, str]:
        if self._application is not None or self._signer is None:
            return {}
        return {HEADER: self._signer.dumps(_identity(transfer_id), SERVICE)}


def _identity(transfer_id: str | None) -> Identity:
    request_id = logs.request_id() or ids.new_request_id()
    return Identity(request_id=request_id, address="", account=SYSTEM, transfer_id=transfer_id)


class FilestoreReader:
    """One file as filestore-svc sends it."""

    def __init__(self, answer: requests.Response, listed: Entry) -> None:
        self.entry = Entry(
            listed.name,
            int(answer.headers["Content-Length"]),
            listed.modified_at,
            answer.headers.get("X-Fileset", ""),
            answer.headers.get("X-Sha256", "").lower() or None,
        )
        self._answer = answer
        self._digest = hashlib.sha256()

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the content; a connection that breaks is Transient."""
        try:
            for block in self._answer.raw.stream(size, decode_content=False):
                self._digest.update(block)
                yield block
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Transient(f"{self.entry.name}: the connection to filestore broke") from error

    def check(self) -> None:
        """Compare the checksum with the one that filestore-svc announced; a fileset's content never changes."""
        if self.entry.sha256 is not None and self._digest.hexdigest() != self.entry.sha256:
            raise Mismatch(f"{self.entry.name}: what filestore sent has another checksum than it announced")

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()


class _Body:
    """A request body of known length, sent block by block; keeps the error that interrupted it."""

    def __init__(self, blocks: Iterator[bytes], size: int) -> None:
        self.len = size
        self.error: BaseException | None = None
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._blocks
        except GeneratorExit:
            # The receiver has all declared bytes and asks for no more.
            raise
        except BaseException as error:
            self.error = error
            raise


class FilestoreWriter:
    """One file on its way into filestore-svc: a resumable upload that is begun, appended to, sealed and committed."""

    def __init__(self, endpoint: "FilestoreEndpoint", name: str, *, token: str, size: int, if_exists: IfExists) -> None:
        self._endpoint = endpoint
        self._name = name
        self._token = token
        self._size = size
        self._if_exists = if_exists
        self._upload = ""

    def begin(self) -> None:
        """Begin an upload of `size` bytes; filestore-svc checks folder, name, limits and quotas."""
        headers = {
            "Upload-Length": str(self._size),
            "X-If-Exists": self._if_exists,
            "X-Datatype": "application/octet-stream",
            "X-Token": self._token,
        }
        self._upload = self._endpoint.begin_upload(self._name, headers)

    def fill(self, blocks: Iterable[bytes]) -> None:
        """Append everything in one request; if `blocks` raises, the request is cut and the upload stays incomplete."""
        source = iter(blocks)
        if self._size:
            body = _Body(source, self._size)
            try:
                self._call("PATCH", data=body, headers={"Upload-Offset": "0"}, statuses={409: Transient})
            except BaseException:
                if body.error is not None:
                    raise body.error from None
                raise
            if body.error is not None:
                raise body.error
        # An application of this process reads no further than the declared length; the end of the blocks is where the
        # source is compared with what was opened.
        if next(source, None) is not None:
            raise Mismatch(f"{self._name}: more bytes came than were declared")

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Let filestore-svc make the bytes durable, digest and scan them; compare size and digest.

        Returns False where that takes longer than a request waits.
        """
        sealed = self._call("POST", "/seal", statuses={404: Transient, 409: Transient})
        if sealed is None:
            return False
        if sealed["size"] != size or (verify == "sha256" and sealed["sha256"].lower() != sha256):
            raise Mismatch(f"{self._name}: filestore holds another size or checksum than the bytes that were sent")
        return True

    def commit(self) -> Stored:
        """Make the file visible; a repeated call returns the result of the first."""
        stored = self._call("POST", "/commit", statuses={404: Mismatch})
        if stored is None:
            raise Transient(f"{self._name}: filestore is still at work on it")
        return _stored(stored)

    def abort(self) -> Stored | None:
        """End the upload; filestore-svc answers with the file where it was committed already."""
        if not self._upload:
            return None
        try:
            found = self._call("DELETE")["stored"]
        except NotFound:
            found = None
        return None if found is None else _stored(found)

    def _call(self, method: str, step: str = "", **options: Any) -> Any:
        return self._endpoint.call_upload(method, f"{self._upload}{step}", self._name, **options)


def _stored(answer: dict[str, Any]) -> Stored:
    return Stored(answer["size"], answer["sha256"].lower(), str(answer["fileset"]), answer["replaced"] is not None)


class FilestoreEndpoint:
    """A folder of the hub's own store; made by FilestoreUpstream."""

    def __init__(
        self, session: requests.Session, base: str, folder: str, headers: Callable[[], dict[str, str]]
    ) -> None:
        self._session = session
        self._base = base
        self._folder = "/".join(check_name(step) for step in folder.split("/") if step)
        self._headers = headers

    def list(self, patterns: Patterns, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Yield the files that match, page by page, in the order of their names."""
        del skipped
        pattern = patterns.texts[0] if len(patterns.texts) == 1 else "*"
        after = ""
        while True:
            query = {"pattern": pattern, "after": after, "limit": str(_PAGE)}
            files = self._request("GET", f"folders/{self._quoted()}", self._folder, params=query).json()["files"]
            for file in files:
                if patterns.match(file["name"]):
                    yield Entry(
                        file["name"], file["size"], file["modified_at"], str(file["fileset"]), file["sha256"].lower()
                    )
            if len(files) < _PAGE:
                return
            after = files[-1]["name"]

    def open(self, entry: Entry) -> FilestoreReader:
        """Open a listed file as it is now."""
        headers = {"Accept-Encoding": "identity"}
        return FilestoreReader(self.call("GET", entry.name, stream=True, headers=headers), entry)

    def writer(self, name: str, *, token: str, size: int, if_exists: IfExists = "replace") -> FilestoreWriter:
        """Return a writer to `name` whose unfinished upload belongs to `token`."""
        return FilestoreWriter(self, check_name(name), token=token, size=size, if_exists=if_exists)

    def delete(self, entry: Entry) -> None:
        """Delete a listed file; Changed when another content has its name by now."""
        try:
            self.call("DELETE", entry.name, params={"fileset": entry.version})
        except Exists as error:
            raise Changed(f"{entry.name}: changed since it was read, so it was not deleted") from error

    def sweep(self, token: str) -> tuple[str, ...]:
        """Remove every unfinished upload of `token` into this folder; return the names of their files."""
        answer = self._request("DELETE", f"uploads/{self._quoted()}", self._folder, params={"token": token})
        return tuple(answer.json()["removed"])

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def call(self, method: str, name: str, **options: Any) -> requests.Response:
        """Send a request about one file of the folder; every refusal is a TransferError."""
        return self._request(method, f"files/{self._quoted(check_name(name))}", name, **options)

    def begin_upload(self, name: str, headers: dict[str, str]) -> str:
        """Begin an upload of the file `name`; return its id."""
        answer = self._request("POST", f"uploads/{self._quoted(name)}", name, headers=headers)
        return str(answer.json()["upload"])

    def call_upload(self, method: str, path: str, name: str, **options: Any) -> Any:
        """Send a request about an upload of the file `name`; return None while filestore-svc is still at work on it."""
        answer = self._request(method, f"upload/{path}", name, **options)
        return None if answer.status_code == HTTPStatus.ACCEPTED else answer.json()

    def _quoted(self, *names: str) -> str:
        return quote("/".join((self._folder, *names)), safe="/", errors="surrogateescape")

    def _request(
        self, method: str, path: str, shown: str, *, statuses: Mapping[int, type[TransferError]] = _NO_OTHERS,
        **options: Any,
    ) -> requests.Response:  # fmt: skip
        headers = {**self._headers(), **options.pop("headers", {})}
        url = f"{self._base}/internal/v1/{path}"
        try:
            answer = self._session.request(
                method, url, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False, **options
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Transient(f"{shown}: filestore does not answer") from error
        if answer.status_code >= 300:
            raise _refusal(answer, shown, {**_STATUS, **statuses})
        return answer


def _refusal(answer: requests.Response, shown: str, statuses: Mapping[int, type[TransferError]]) -> TransferError:
    try:
        message = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError, requests.RequestException):
        message = f"filestore answered {answer.status_code}"
    finally:
        answer.close()
    return statuses.get(answer.status_code, Transient)(f"{shown}: {message}")
