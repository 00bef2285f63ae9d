"""Serve the most frequent requests, uploads and downloads of whole files, without Flask, which costs a third of them.

A request that ends in anything but success is passed on to Flask, which renders its error.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication

from werkzeug.wsgi import FileWrapper

from filestore_svc.domain.files import StoredFile
from filestore_svc.errors import TemporarilyUnavailable
from filestore_svc.operations.downloads import DownloadBody
from filestore_svc.operations.vendor_calls import Operations
from filestore_svc.settings import SERVICE
from filestore_svc.wire import downloads, requests, responses, uploads
from mft_common import environ_keys, logs
from mft_common.identity import Identity
from mft_common.identity_reader import IdentityReader
from mft_common.process import metrics

_FILES: Final = "/2.0/files"
_FILESET: Final = "/2.0/fileset"
# As the views name them, so that both ways of a route are counted as one.
_FILES_ROUTE: Final = f"{_FILES}<tail:_tail>"
_FILESET_ROUTE: Final = f"{_FILESET}<tail:_tail>"
# A file of at most this size is sent in one piece with the head of its response.
_SMALL: Final = 64 << 10
_BLOCK: Final = 1 << 18
_ERROR: Final = "filestore.error"

Served = tuple[str, list[tuple[str, str]], Iterable[bytes]]


class FastPath:
    """A WSGI application that serves what it can and passes all else on to the application behind it."""

    def __init__(self, application: WSGIApplication, operations: Operations, identities: IdentityReader) -> None:
        self._application = application
        self._operations = operations
        self._identities = identities

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if method == "PUT" and path.startswith(f"{_FILES}/"):
            serve = self._upload
        elif path.startswith((f"{_FILES}/", f"{_FILESET}/")) and downloads.unconditional(environ):
            serve = self._download
        else:
            return self._application(environ, start_response)
        began = time.monotonic()
        try:
            identity = self._identities.read(environ)
            with logs.request_scope(identity.request_id):
                status, headers, body = serve(environ, identity)
        except Exception as error:  # noqa: BLE001 -- raised again by the view, where errors are rendered
            environ[_ERROR] = error
            return self._application(environ, start_response)
        route = _FILESET_ROUTE if path.startswith(f"{_FILESET}/") else _FILES_ROUTE
        metrics.count(SERVICE, "http-mft", route, method, int(status[:3]), seconds=time.monotonic() - began)
        start_response(status, headers)
        return body

    def _upload(self, environ: dict[str, Any], identity: Identity) -> Served:
        caller = self._operations.writer(identity, environ.get("HTTP_ORIGIN"))
        target = requests.target(environ, _FILES)
        requests.check_file(target)
        head = uploads.head(environ, raw=self._operations.configuration.raw_put)
        stored = self._operations.upload(caller, target, head)
        file = stored.file
        logs.get("audit").info(
            "file.upload", path=file.path, fileset=file.fileset, bytes=file.size, sha256=file.sha256,
            replaced=stored.replaced, result=201, account=identity.account, address=identity.address,
        )  # fmt: skip
        body = responses.success_body("Upload successful", file.fileset)
        return "201 CREATED", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], [body]

    def _download(self, environ: dict[str, Any], identity: Identity) -> Served:
        file = self._find(environ, identity)
        body = self._operations.send(identity, file, 0, file.size)
        return "200 OK", downloads.headers(file), _small_or_streamed(environ, file, body)

    def _find(self, environ: dict[str, Any], identity: Identity) -> StoredFile:
        caller = self._operations.reader(identity)
        if environ["PATH_INFO"].startswith(f"{_FILESET}/"):
            return self._operations.fileset(caller, requests.fileset(environ, _FILESET))
        return self._operations.download(caller, requests.target(environ, _FILES))


def _small_or_streamed(environ: dict[str, Any], file: StoredFile, body: DownloadBody) -> Iterable[bytes]:
    finished = environ.get(environ_keys.FINISHED)
    if finished is not None and file.size <= _SMALL:
        return [_read_whole(body, finished)]
    if finished is not None:
        body.report_to(finished)
    wrapped: Iterable[bytes] = environ.get("wsgi.file_wrapper", FileWrapper)(body, _BLOCK)
    return wrapped


def _read_whole(body: DownloadBody, finished: list[Callable[[int, int, bool], None]]) -> bytes:
    """Read a small file; once all of it is read, the server reports what it has sent."""
    try:
        # A store may return fewer bytes than it is asked for.
        block = b"".join(iter(body.read, b""))
        body.report_to(finished)
    except OSError as error:
        raise TemporarilyUnavailable from error
    finally:
        body.close()
    return block


def raise_earlier_error(environ: Mapping[str, Any]) -> None:
    """Raise the error with which the fast path ended this request."""
    error = environ.get(_ERROR)
    if error is not None:
        raise error
