"""Responses that the gateway itself makes, in the form of the caller's protocol."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import responses
from typing import Final

from gateway import routing
from mft_common import clock, ids, logs
from mft_common.process import metrics

UNBUILT: Final = 501
_JSON: Final = "application/json"
_IBM_HEADERS: Final = (
    ("Content-Type", "application/json;charset=utf-8"),
    ("Cache-Control", "no-cache, no-store, must-revalidate"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Language", "en-US"),
)
_FILES: Final = "/2.0/files"
_LOGIN_PATHS: Final = ("/2.0/login", "/2.0/login/basic")
_SYNTAX = "Missing parameters or syntax error"

_HTTP_MFT: Final = {
    400: (_SYNTAX, "request_syntax"),
    404: ("Not found", "request_syntax"),
    413: ("Request too large", "request_syntax"),
    414: ("Request too large", "request_syntax"),
    429: ("Too many attempts", "authentication"),
    431: ("Request too large", "request_syntax"),
    500: ("Internal error", "io"),
    503: ("Temporarily unavailable", "io"),
}
_DIPLOMAT: Final = {
    400: "The request is not well formed.",
    404: "There is nothing at this address.",
    413: "The request is larger than this hub accepts.",
    414: "The request line is longer than this hub accepts.",
    429: "Requests come too fast from this address; wait before the next one.",
    431: "The request's header fields are larger than this hub accepts.",
    500: "The request failed inside the hub.",
    501: "This hub does not serve the API.",
    503: "The job engine does not answer at the moment.",
}
# Status: id, message, explanation, action.
_IBM: Final = {
    400: (
        "MQWB0970E",
        "The request cannot be read.",
        "The request line, a header field or the body breaks the rules of HTTP.",
        "Send a well-formed request.",
    ),
    404: (
        "MQWB0116E",
        "There is no such resource.",
        "No resource of this hub has the path of the request.",
        "Correct the path.",
    ),
    413: (
        "MQWB0973E",
        "The request is too large.",
        "The body is larger than the limit that is set for this resource.",
        "Send a smaller body, or have the limit raised.",
    ),
    414: (
        "MQWB0973E",
        "The request is too large.",
        "The request line is longer than the limit that is set for it.",
        "Ask for fewer attributes at once.",
    ),
    429: (
        "MQWB0978E",
        "Too many attempts.",
        "This address has sent too many requests, or too many wrong passwords.",
        "Wait for as many seconds as the Retry-After header says.",
    ),
    431: (
        "MQWB0973E",
        "The request is too large.",
        "The header fields are larger than the limit that is set for them.",
        "Send fewer or shorter header fields.",
    ),
    500: (
        "MQWB0979E",
        "The request failed inside the hub.",
        "A fault of the hub kept it from answering.",
        "Give the request id of this answer to the operator.",
    ),
    503: (
        "MQWB0403E",
        "The service behind this resource does not answer.",
        "The process that keeps the record of transfers cannot be reached.",
        "Repeat the request later.",
    ),
}


@dataclass(frozen=True)
class GatewayResponse:
    """A response that the gateway makes itself."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def line(self) -> str:
        """The status as WSGI writes it."""
        return f"{self.status} {responses.get(self.status, 'Error')}"


def error_response(
    protocol: str | None, status: int, *, method: str = "GET", path: str = "", retry_after: int = 0
) -> GatewayResponse:
    """Return the response `status` in the form of `protocol`, None for our own pages.

    The statuses are 400, 404, 413, 414, 429, 431, 500, 501 and 503; 501 says that the hub has no such service, in
    each protocol's own way. `retry_after` is in seconds; 429 and 503 always carry one.
    (http-mft.md 2, diplomat.md 1.1, ibm-mq-mft.md 1.H, sertainty.md 2)
    """
    made = _TEMPLATES[protocol](status, method, path)
    if status in (429, 503):
        made.headers.append(("Retry-After", str(retry_after or (5 if status == 503 else 1))))
    return made


def server_error_response(
    status: int, method: str, path: str, address: str, request_id: str = ""
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Make the response to a malformed head or to a body that cannot be read to its end.

    A request without an id has not reached the pipeline, which would log it: so it is logged and counted here.
    """
    route = routing.find(path)
    made = error_response(route.protocol if route else None, status, method=method, path=path)
    if not request_id:
        request_id = ids.new_request_id()
        protocol, prefix = (route.protocol, route.prefix) if route else ("own", metrics.NO_ROUTE)
        metrics.REQUESTS.labels("gateway", protocol, prefix, "other", made.status).inc()
        fields = {"method": method[:20], "path": path, "status": made.status, "address": address}
        logs.get("access").info("request.rejected", request_id=request_id, **fields)
    return made.line, [*made.headers, ("X-Request-ID", request_id)], made.body


def _http_mft(status: int, method: str, path: str) -> GatewayResponse:
    if status == UNBUILT:
        status = 404
    message, kind = _HTTP_MFT[status]
    on_files = path == _FILES or path.startswith(f"{_FILES}/")
    if status == 400 and method == "DELETE" and on_files:
        message, kind = "missing param or syntax error", "syntax_error"
    envelope: dict[str, str] = {"result": "failed"}
    if path not in _LOGIN_PATHS and not (method == "POST" and on_files):
        envelope["timestamp"] = clock.iso(clock.now_ms())
    return _json(status, {**envelope, "message": message, "errorType": kind})


def _diplomat(status: int, _method: str, _path: str) -> GatewayResponse:
    message = _DIPLOMAT[status]
    code = {503: 500, 413: 400, 414: 400, 429: 400, 431: 400}.get(status, status)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<diplomatApiResponse responseType="errorResponse"><statusCode>{code}</statusCode>'
        f"<message>{message}</message></diplomatApiResponse>"
    )
    return GatewayResponse(code, [("Content-Type", "text/xml; charset=UTF-8")], body.encode())


def _ibm(status: int, _method: str, _path: str) -> GatewayResponse:
    if status == UNBUILT:
        status = 404
    number, message, explanation, action = _IBM[status]
    error: dict[str, object] = {
        "type": "java" if status == 503 else "rest",
        "msgId": number,
        "message": f"{number}: {message}",
        "explanation": explanation,
        "action": action,
        "completionCode": 2 if status == 503 else 0,
        "reasonCode": 2059 if status == 503 else 0,
    }
    if status == 503:
        error["exceptions"] = []
    return GatewayResponse(status, list(_IBM_HEADERS), _dumps({"error": [error]}))


def _data_protector(status: int, _method: str, _path: str) -> GatewayResponse:
    return GatewayResponse(502 if status == UNBUILT else status, [("Cache-Control", "no-store")], b"")


def _own(status: int, _method: str, _path: str) -> GatewayResponse:
    return _json(status, {"error": responses.get(status, "error").lower()})


def _json(status: int, value: object) -> GatewayResponse:
    return GatewayResponse(status, [("Content-Type", _JSON), ("Cache-Control", "no-store")], _dumps(value))


def _dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_TEMPLATES: Final[dict[str | None, Callable[[int, str, str], GatewayResponse]]] = {
    None: _own,
    "http-mft": _http_mft,
    "diplomat": _diplomat,
    "ibm-mq-mft": _ibm,
    "data-protector": _data_protector,
}
