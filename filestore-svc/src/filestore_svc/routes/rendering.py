"""Turn every error into the vendor's envelope, or into the internal interface's plain one."""

from collections.abc import Callable

from flask import Response, request
from werkzeug.exceptions import HTTPException

from filestore_svc.errors import ContentRefused, NotAuthenticated, NotFound, Refused, TemporarilyAway, TooLarge
from filestore_svc.routes.audit import note
from filestore_svc.wire import responses
from mft_common.errors import IdentityError, Unavailable

_LOGIN = "/2.0/login"
_FILES = "/2.0/files"
_CHALLENGE = 'Basic realm="HTTP MFT", charset="UTF-8"'


def renderer(*, timestamps_everywhere: bool, basic_auth: bool = False) -> Callable[[Exception], Response]:
    """Return what renders an exception as an answer; with `basic_auth` every 401 says that a password may be sent."""

    def render(error: Exception) -> Response:
        status, message, kind, headers = _told(error)
        if isinstance(error, ContentRefused):
            note(virus=error.threat)
        if request.path.startswith("/internal/"):
            if isinstance(error, ContentRefused):
                # The hub itself asks, and tells this as the reason of the transfer that failed.
                message = error.reason
            return responses.as_json({"error": kind, "message": message}, status, headers)
        if basic_auth and status == 401:
            headers = {**headers, "WWW-Authenticate": _CHALLENGE}
        timestamp = timestamps_everywhere or not _without_timestamp()
        return responses.failure(status, message, kind, timestamp=timestamp, headers=headers)

    return render


def _without_timestamp() -> bool:
    """True for the two calls whose answers the vendor prints without one (D5)."""
    under_files = request.path == _FILES or request.path.startswith(f"{_FILES}/")
    return request.path.startswith(_LOGIN) or (request.method == "POST" and under_files)


def _told(error: Exception) -> tuple[int, str, str, dict[str, str]]:
    if isinstance(error, IdentityError):
        error = NotAuthenticated()
    elif isinstance(error, Unavailable):
        error = TemporarilyAway()
    elif isinstance(error, HTTPException):
        return _of_werkzeug(error)
    if isinstance(error, Refused):
        return error.status, str(error), error.error_type, error.headers
    return 500, "Internal error", "io", {}


def _of_werkzeug(error: HTTPException) -> tuple[int, str, str, dict[str, str]]:
    """Word werkzeug's own refusals: unknown routes, wrong methods, and what its parsers find wrong."""
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return 405, "Method not allowed", "request_syntax", {"Allow": allowed}
    if error.code == 413:
        return 413, TooLarge.text, TooLarge.error_type, {}
    if error.code == 400:
        return 400, "Missing parameters or syntax error", "request_syntax", {}
    return 404, NotFound.text, NotFound.error_type, {}
