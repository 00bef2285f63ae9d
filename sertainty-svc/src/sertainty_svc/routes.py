"""Map the one URL to the operations, and every outcome of a call to the envelope (1, 2)."""

from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from mft_common import logs, web
from mft_common.errors import IdentityError, Unavailable
from sertainty_svc import wire
from sertainty_svc.errors import Denied, GeneralError, InvalidRequest, Outcome
from sertainty_svc.operations import Operations
from sertainty_svc.wire import Reply

PATH: Final = "/dataprotector"


def blueprint(operations: Operations) -> Blueprint:
    """Return the one address of this protocol."""
    pages = Blueprint("data_protector", __name__)

    @pages.route(PATH, methods=["POST"], strict_slashes=True)
    def call() -> Response:
        # The stream is read to its end, where werkzeug finds that a chunked body exceeds the limit.
        body = b"".join(web.large_reads(request.stream))
        return _answer(operations.call(wire.parse_request(body), web.identity()))

    return pages


def _answer(reply: Reply) -> Response:
    return Response(wire.to_bytes(reply), 200, {"Cache-Control": "no-store"}, content_type=wire.CONTENT_TYPE)


def _bare(status: int, allow: str = "") -> Response:
    """Return the answer of a request that is no envelope: a status and no body (2)."""
    response = Response(status=status, headers={"Cache-Control": "no-store", **({"Allow": allow} if allow else {})})
    del response.headers["Content-Type"]
    return response


def render_error(error: Exception) -> Response:
    """Turn any exception into an answer of the vendor's form (2, 14-16)."""
    if isinstance(error, MethodNotAllowed):
        return _bare(405, "POST")
    if isinstance(error, IdentityError):
        return _bare(403)
    if isinstance(error, HTTPException) and error.code in {404, 413}:
        return _bare(error.code)
    outcome = _outcome(error)
    response = _answer(Reply(outcome.code, outcome.text))
    if isinstance(outcome, InvalidRequest):
        response.headers[wire.DETAIL_HEADER] = wire.header_text(outcome.detail)
    if isinstance(outcome, Denied) and outcome.retry_after:
        response.headers["Retry-After"] = str(outcome.retry_after)
    logs.get("routes").info("call.rejected", code=outcome.code, detail=outcome.detail)
    return response


def _outcome(error: Exception) -> Outcome:
    if isinstance(error, Outcome):
        return error
    if isinstance(error, HTTPException):
        return InvalidRequest("the body cannot be read")
    if isinstance(error, Unavailable):
        return GeneralError("A part of the hub does not answer; try again later.")
    return GeneralError(f"The hub failed; its log has the reason under {logs.request_id() or 'this time'}.")
