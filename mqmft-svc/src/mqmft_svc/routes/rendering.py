"""Render exceptions as the vendor's answers (120-128)."""

import re
from collections.abc import Callable
from typing import Final

from flask import Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from mft_common import logs
from mft_common.errors import IdentityError, Unavailable
from mqmft_svc import wire
from mqmft_svc.errors import (
    BodyNotJson,
    BodyTooLarge,
    CredentialsMissing,
    Internal,
    MethodNotAllowed,
    NoSuchResource,
    QueueManagerAway,
    RestError,
)
from mqmft_svc.operations import Operations
from mqmft_svc.routes import http

_LOGIN: Final = re.compile("/ibmmq/rest/v[123]/login/?")


def error_renderer(operations: Operations) -> Callable[[Exception], Response]:
    """Return the function that renders any exception as the vendor's answer (120-128)."""
    log = logs.get("routes")

    def render(error: Exception) -> Response:
        rendered = _rest_error(error, operations.coordination_qmgr)
        headers = dict(rendered.headers)
        if rendered.status == 401 and not _LOGIN.fullmatch(request.path):
            headers["WWW-Authenticate"] = wire.CHALLENGE
        write = log.info if rendered.status < 500 else log.error
        write(
            "request.rejected", msg_id=rendered.msg_id, status=rendered.status, method=request.method, path=request.path
        )
        return http.json_response(wire.error_bytes(rendered), headers, rendered.status)

    return render


def _rest_error(error: Exception, qmgr: str) -> RestError:
    if isinstance(error, RestError):
        return error
    if isinstance(error, IdentityError):
        return CredentialsMissing()
    if isinstance(error, Unavailable):
        return QueueManagerAway(qmgr=qmgr, headers={"Retry-After": str(error.retry_after)})
    if isinstance(error, WrongMethod):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return MethodNotAllowed(method=request.method, headers={"Allow": allowed})
    if isinstance(error, HTTPException) and error.code == 400:
        return BodyNotJson(reason="it cannot be read")
    known = {404: NoSuchResource, 413: BodyTooLarge}
    if isinstance(error, HTTPException) and error.code in known:
        return known[error.code]()
    return Internal(request_id=logs.request_id() or "-")
