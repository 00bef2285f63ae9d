"""Answer the commonest request, for the whole of a file, before Flask, which would cost as much as all the rest.

What is not plainly right goes to Flask, which finds out again and says why.
"""

import time
from collections.abc import Iterable
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication

from werkzeug.wsgi import FileWrapper

from filestore_svc.domain.files import StoredFile
from filestore_svc.errors import Refused
from filestore_svc.operations import Operations
from filestore_svc.settings import SERVICE
from filestore_svc.wire import downloads, requests
from mft_common import logs, metrics
from mft_common.errors import IdentityError, Unavailable
from mft_common.identity import Identity, Signer, from_environ

_FILES: Final = "/2.0/files"
_FILESET: Final = "/2.0/fileset"
# A small file goes out in one piece with the head of its answer.
_SMALL: Final = 64 << 10
_BLOCK: Final = 1 << 18


class Lane:
    """The application with a way past it."""

    def __init__(self, application: WSGIApplication, operations: Operations, signer: Signer | None) -> None:
        self._application = application
        self._operations = operations
        self._signer = signer

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as WSGI says."""
        path = environ["PATH_INFO"]
        if path.startswith((f"{_FILES}/", f"{_FILESET}/")) and downloads.unconditional(environ):
            began = time.monotonic()
            try:
                identity = from_environ(environ, self._signer, SERVICE)
                with logs.request_scope(identity.request_id):
                    file = self._find(environ, identity, path)
                    answer = self._send(environ, identity, file, start_response)
            except (Refused, IdentityError, Unavailable):
                return self._application(environ, start_response)
            metrics.count(SERVICE, "http-mft", "GET", 200, time.monotonic() - began)
            return answer
        return self._application(environ, start_response)

    def _find(self, environ: dict[str, Any], identity: Identity, path: str) -> StoredFile:
        if path.startswith(f"{_FILESET}/"):
            return self._operations.fileset(identity, requests.fileset(environ, _FILESET))
        return self._operations.download(identity, requests.target(environ, _FILES))

    def _send(
        self, environ: dict[str, Any], identity: Identity, file: StoredFile, start_response: StartResponse
    ) -> Iterable[bytes]:
        body = self._operations.send(identity, file, 0, file.size)
        finished = environ.get("crossdock.finished")
        if finished is not None:
            body.told_by(finished)
        start_response("200 OK", downloads.head(file))
        if finished is not None and file.size <= _SMALL:
            try:
                return [body.read()]
            finally:
                body.close()
        wrapped: Iterable[bytes] = environ.get("wsgi.file_wrapper", FileWrapper)(body, _BLOCK)
        return wrapped
