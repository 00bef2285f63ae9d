"""Read what every resource of this protocol reads of a request, and make its answers."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, g, request

from mft_common import web
from mqmft_svc import wire
from mqmft_svc.domain.callers import Caller
from mqmft_svc.errors import CsrfHeaderMissing
from mqmft_svc.operations import Operations
from mqmft_svc.schemas import queries

BASE: Final = "/ibmmq/rest/<any(v1,v2,v3):version>"
V3: Final = "/ibmmq/rest/v3"
MFT: Final = "/admin/mft"


def caller() -> Caller:
    """Return who sends the request, after its credentials were checked."""
    found: Caller = g.caller
    return found


def pairs() -> queries.Pairs:
    """Return the names and values of the query string."""
    return wire.query_pairs(request.environ.get("QUERY_STRING", ""))


def json_body() -> dict[str, Any]:
    """Return the JSON object that is the body.

    The stream is read to its end, where werkzeug finds that a chunked body exceeds the limit.
    """
    body = b"".join(web.large_reads(request.stream))
    return wire.json_body(request.headers.get("Content-Type", ""), body)


def require_csrf(operations: Operations) -> None:
    """Raise unless the header against cross-site request forgery is there (25)."""
    if wire.CSRF not in request.headers:
        raise CsrfHeaderMissing(int(operations.settings.csrf_status))


def check_write(operations: Operations) -> None:
    """Raise unless the request may change something, in the order of 22."""
    require_csrf(operations)
    operations.access.authorize_write(caller())


def location(path: str) -> str:
    """Return the absolute URL of a path below `/ibmmq/rest` (151)."""
    base = web.identity().base_url or request.host_url.rstrip("/")
    return f"{base}/ibmmq/rest/{path}"


def json_response(value: Any, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Return an answer with a JSON body; bytes are one already."""
    body = value if isinstance(value, bytes) else wire.to_bytes(value)
    return Response(body, status, {**wire.HEADERS, **(headers or {})}, content_type=wire.CONTENT_TYPE)


def empty_response(headers: Mapping[str, str], status: int = 204) -> Response:
    """Return an answer without a body."""
    response = Response(status=status, headers={**wire.HEADERS, **headers})
    del response.headers["Content-Type"]
    return response
