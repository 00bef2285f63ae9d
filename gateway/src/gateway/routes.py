"""The gateway's own pages: the internal API for services, health and metrics for operators."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Flask, Response, jsonify, request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import HTTPException

from gateway.errors import RequestRejected
from gateway.operations import Operations
from gateway.schemas import calls
from mft_common import addresses, environ_keys, logs
from mft_common.directory import GATEWAY, to_wire
from mft_common.errors import IdentityError, Unavailable
from mft_common.identity import SYSTEM, Signer
from mft_common.process import health, metrics

INTERNAL: Final = "/internal/v1/directory/"
_LARGEST_CALL: Final = 1 << 20


def is_internal(environ: Mapping[str, Any], internal_port: int | None) -> bool:
    """True when a request came in by the port of the internal API, which the public does not reach.

    SERVER_PORT is the port of the listening socket; nothing that a client sends decides it.
    """
    return internal_port is not None and environ.get("SERVER_PORT") == str(internal_port)


def create(operations: Operations, signer: Signer, checks: health.Checks, internal_port: int | None) -> Flask:
    """Return the gateway's own pages; the pipeline forwards every path to them that no protocol has."""
    app = Flask("gateway", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_CALL

    def may_see_metrics(environ: Mapping[str, Any]) -> bool:
        return is_internal(environ, internal_port) or addresses.is_local(environ)

    app.register_blueprint(health.blueprint(checks))
    app.register_blueprint(metrics.blueprint(may_see_metrics))
    app.register_error_handler(Exception, _failed)
    table = _calls(operations)

    @app.post(f"{INTERNAL}<call>")
    def directory(call: str) -> Response:
        if not is_internal(request.environ, internal_port):
            raise RequestRejected(404, "Not found")
        with logs.request_scope(_request_id(signer)):
            if call not in table:
                raise RequestRejected(404, "Not found")
            schema, operation = table[call]
            return jsonify(answer=to_wire(operation(**schema().load(request.get_json()))))

    return app


def _calls(operations: Operations) -> Mapping[str, tuple[type[Schema], Callable[..., Any]]]:
    """Return the calls of the internal API: the schema of the arguments, and the operation."""
    return {
        "verify": (calls.Verify, operations.verify),
        "account": (calls.AccountName, operations.account),
        "prompts": (calls.Prompts, operations.prompts),
        "verify_prompts": (calls.VerifyPrompts, operations.verify_prompts),
        "open_session": (calls.OpenSession, operations.open_session),
        "find_session": (calls.Token, operations.find_session),
        "list_sessions": (calls.Service, operations.list_sessions),
        "close_session": (calls.PublicId, operations.close_session),
        "close_token": (calls.Token, operations.close_token),
        "ping": (Schema, operations.ping),
    }


def _request_id(signer: Signer) -> str:
    """Return the id of the request that a service works for; RequestRejected unless a service is the caller."""
    identity = signer.loads(request.environ.get(environ_keys.IDENTITY_HEADER, ""), GATEWAY)
    if identity.account != SYSTEM:
        raise RequestRejected(403, "the internal API is for services")
    return identity.request_id


def _failed(error: Exception) -> tuple[Response, int]:
    """Render every error as JSON; a fault of the hub is logged, and its text is not shown."""
    if isinstance(error, HTTPException):
        response = jsonify(error=error.name)
        response.headers.extend(header for header in error.get_headers() if header[0] != "Content-Type")
        return response, error.code or 500
    if isinstance(error, RequestRejected):
        return jsonify(error=str(error)), error.status
    if isinstance(error, ValidationError):
        return jsonify(error="these are not the call's arguments", problems=error.messages), 400
    if isinstance(error, IdentityError):
        return jsonify(error=str(error)), 401
    if isinstance(error, Unavailable):
        response = jsonify(error=str(error))
        response.headers["Retry-After"] = str(error.retry_after)
        return response, 503
    logs.get("routes").error("request.failed", path=request.path, method=request.method, exc_info=error)
    return jsonify(error="Internal error"), 500
