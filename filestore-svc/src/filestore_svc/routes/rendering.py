"""Render every error in the vendor's envelope, or in the plain one of the internal interface."""

from collections.abc import Callable

from flask import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from filestore_svc.errors import (
    ContentRefused,
    NotAuthenticated,
    NotFound,
    RequestRejected,
    TemporarilyUnavailable,
    TooLarge,
)
from filestore_svc.routes.audit import note
from filestore_svc.wire import responses
from mft_common.errors import IdentityError, Unavailable

_LOGIN = "/2.0/login"
_FILES = "/2.0/files"
_CHALLENGE = 'Basic realm="HTTP MFT", charset="UTF-8"'


def renderer(*, timestamps_everywhere: bool, basic_auth: bool = False) -> Callable[[Exception], Response]:
    """Return the function that renders exceptions; with `basic_auth` every 401 has a challenge for Basic."""

    def render(error: Exception) -> Response:
        status, message, kind, headers = _fields(error)
        if isinstance(error, ContentRefused):
            note(virus=error.threat)
        if request.path.startswith("/internal/"):
            if isinstance(error, ContentRefused):
                # The calling service records this as the reason of its failed transfer.
                message = error.reason
            return responses.as_json({"error": kind, "message": message}, status, headers)
        if basic_auth and status == 401:
            headers = {**headers, "WWW-Authenticate": _CHALLENGE}
        timestamp = timestamps_everywhere or not _without_timestamp()
        return responses.failure(status, message, kind, timestamp=timestamp, headers=headers)

    return render


def _without_timestamp() -> bool:
    """Say whether this is one of the two calls whose responses have no timestamp (D5)."""
    under_files = request.path == _FILES or request.path.startswith(f"{_FILES}/")
    return request.path.startswith(_LOGIN) or (request.method == "POST" and under_files)


def _fields(error: Exception) -> tuple[int, str, str, dict[str, str]]:
    if isinstance(error, IdentityError):
        error = NotAuthenticated()
    elif isinstance(error, Unavailable):
        error = TemporarilyUnavailable()
    elif isinstance(error, HTTPException):
        return _of_werkzeug(error)
    if isinstance(error, RequestRejected):
        return error.status, str(error), error.error_type, error.headers
    return 500, "Internal error", "io", {}


def _of_werkzeug(error: HTTPException) -> tuple[int, str, str, dict[str, str]]:
    """Return the fields of an error of werkzeug's: unknown route, wrong method, unparsable request."""
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return 405, "Method not allowed", "request_syntax", {"Allow": allowed}
    if error.code == 413:
        return 413, TooLarge.text, TooLarge.error_type, {}
    if error.code == 400:
        return 400, "Missing parameters or syntax error", "request_syntax", {}
    return 404, NotFound.text, NotFound.error_type, {}
