"""Answer the commonest requests, to store and to get a whole file, before Flask, which costs a third of the rest.

What ends in anything but success goes to Flask after all, which says why.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication

from werkzeug.wsgi import FileWrapper

from filestore_svc.domain.files import StoredFile
from filestore_svc.errors import TemporarilyAway
from filestore_svc.operations import Operations
from filestore_svc.operations.downloads import Sending
from filestore_svc.settings import SERVICE
from filestore_svc.wire import answers, downloads, requests, uploads
from mft_common import environ_keys, logs
from mft_common.identity import Identity
from mft_common.identity_reader import IdentityReader
from mft_common.process import metrics

_FILES: Final = "/2.0/files"
_FILESET: Final = "/2.0/fileset"
# A small file goes out in one piece with the head of its answer.
_SMALL: Final = 64 << 10
_BLOCK: Final = 1 << 18
_REFUSED: Final = "filestore.refused"

Answer = tuple[str, list[tuple[str, str]], Iterable[bytes]]


class Lane:
    """The application with a way past it."""

    def __init__(self, application: WSGIApplication, operations: Operations, identities: IdentityReader) -> None:
        self._application = application
        self._operations = operations
        self._identities = identities

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as WSGI says."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if method == "PUT" and path.startswith(f"{_FILES}/"):
            work = self._upload
        elif path.startswith((f"{_FILES}/", f"{_FILESET}/")) and downloads.unconditional(environ):
            work = self._download
        else:
            return self._application(environ, start_response)
        began = time.monotonic()
        try:
            identity = self._identities.read(environ)
            with logs.request_scope(identity.request_id):
                status, headers, answer = work(environ, identity)
        except Exception as error:  # noqa: BLE001 -- it is raised once more where errors are rendered
            environ[_REFUSED] = error
            return self._application(environ, start_response)
        metrics.count(SERVICE, "http-mft", method, int(status[:3]), time.monotonic() - began)
        start_response(status, headers)
        return answer

    def _upload(self, environ: dict[str, Any], identity: Identity) -> Answer:
        caller = self._operations.writer(identity, environ.get("HTTP_ORIGIN"))
        target = requests.target(environ, _FILES)
        requests.check_file(target)
        form = uploads.upload(environ, raw=self._operations.configuration.raw_put)
        kept = self._operations.upload(caller, target, form)
        file = kept.file
        logs.get("audit").info(
            "file.upload", path=file.path, fileset=file.fileset, bytes=file.size, sha256=file.sha256,
            replaced=kept.replaced, result=201, account=identity.account, address=identity.address,
        )  # fmt: skip
        body = answers.done_body("Upload successful", file.fileset)
        return "201 CREATED", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], [body]

    def _download(self, environ: dict[str, Any], identity: Identity) -> Answer:
        file = self._find(environ, identity)
        body = self._operations.send(identity, file, 0, file.size)
        return "200 OK", downloads.head(file), _sent(environ, file, body)

    def _find(self, environ: dict[str, Any], identity: Identity) -> StoredFile:
        caller = self._operations.reader(identity)
        if environ["PATH_INFO"].startswith(f"{_FILESET}/"):
            return self._operations.fileset(caller, requests.fileset(environ, _FILESET))
        return self._operations.download(caller, requests.target(environ, _FILES))


def _sent(environ: dict[str, Any], file: StoredFile, body: Sending) -> Iterable[bytes]:
    finished = environ.get(environ_keys.FINISHED)
    if finished is not None and file.size <= _SMALL:
        return [_whole(body, finished)]
    if finished is not None:
        body.told_by(finished)
    wrapped: Iterable[bytes] = environ.get("wsgi.file_wrapper", FileWrapper)(body, _BLOCK)
    return wrapped


def _whole(body: Sending, finished: list[Callable[[int, int, bool], None]]) -> bytes:
    """Read all of a small file; only then is it the server's word that tells what became of it."""
    try:
        # A store may give less at a time than it is asked for.
        block = b"".join(iter(body.read, b""))
        body.told_by(finished)
    except OSError as error:
        raise TemporarilyAway from error
    finally:
        body.close()
    return block


def raise_refused(environ: Mapping[str, Any]) -> None:
    """Raise what has ended a request before it came to Flask."""
    error = environ.get(_REFUSED)
    if error is not None:
        raise error
