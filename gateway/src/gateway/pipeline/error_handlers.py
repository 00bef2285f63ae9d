"""Error handlers: each turns one kind of exception into a response in the form of the request's protocol."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from gateway.error_responses import GatewayResponse, error_response
from gateway.errors import RequestRejected
from gateway.pipeline.context import RequestContext
from mft_common import logs
from mft_common.errors import Unavailable
from mft_common.http1 import RequestBodyError, UpstreamUnavailable


@dataclass(frozen=True)
class ErrorHandler:
    """`handle(context, error)` makes the response to an exception of this type."""

    type: type[Exception]
    handle: Callable[[RequestContext, Any], GatewayResponse]


def respond(context: RequestContext, status: int, retry_after: int = 0) -> GatewayResponse:
    """Return the response `status` in the form of the request's protocol."""
    return error_response(context.protocol, status, method=context.method, path=context.path, retry_after=retry_after)


def _rejected(context: RequestContext, error: RequestRejected) -> GatewayResponse:
    return respond(context, error.status, error.retry_after)


def _unusable_body(context: RequestContext, error: RequestBodyError) -> GatewayResponse:
    return respond(context, error.status)


def _unavailable(context: RequestContext, error: Unavailable) -> GatewayResponse:
    logs.get("pipeline").warning("directory.unavailable", request_id=context.request_id, reason=str(error))
    return respond(context, 503, error.retry_after)


def _upstream_unavailable(context: RequestContext, error: UpstreamUnavailable) -> GatewayResponse:
    logs.get("pipeline").warning("upstream.unavailable", request_id=context.request_id, reason=str(error))
    return respond(context, 503)


def _failed(context: RequestContext, error: Exception) -> GatewayResponse:
    logs.get("pipeline").error("request.failed", request_id=context.request_id, path=context.path, exc_info=error)
    return respond(context, 500)


# The first handler whose type matches an exception makes the response.
ERROR_HANDLERS: Final = (
    ErrorHandler(RequestRejected, _rejected),
    ErrorHandler(RequestBodyError, _unusable_body),
    ErrorHandler(Unavailable, _unavailable),
    ErrorHandler(UpstreamUnavailable, _upstream_unavailable),
    ErrorHandler(Exception, _failed),
)
