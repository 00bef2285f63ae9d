"""Make the Flask application of a service, with identity, request id, health, metrics and errors in place."""

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from flask import Flask, Response, g, request
from werkzeug.exceptions import ClientDisconnected, HTTPException

from mft_common import logs
from mft_common.errors import IdentityError, Unavailable
from mft_common.http1 import RequestBodyError
from mft_common.identity import Identity
from mft_common.identity_reader import IdentityReader
from mft_common.process import health, metrics

# Paths of a service's own, answered without an identity.
_OWN_PATHS = frozenset(("/healthz", "/readyz", "/metrics"))

Renderer = Callable[[Exception], Response]


def identity() -> Identity:
    """Return the identity of the current request's caller."""
    return cast("Identity", g.identity)


def create(
    package: str,
    *,
    service: str,
    protocol: str,
    identities: IdentityReader,
    checks: health.Checks,
    vendor_error: type[Exception],
    render_error: Renderer,
) -> Flask:
    """Return a Flask application with health, metrics, identity and errors in place, and no routes of the vendor yet.

    `render_error(error)` turns every exception into the vendor's format: the service's own errors, all of the class
    `vendor_error`, those of werkzeug (unknown path, wrong method), IdentityError, Unavailable, and faults of the hub.
    It is registered on the application, because a blueprint never sees unknown paths and wrong methods.
    """
    app = Flask(package, static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_blueprint(health.blueprint(checks))
    app.register_blueprint(metrics.blueprint())

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()
        if request.path in _OWN_PATHS:
            return
        g.identity = identities.read(request.environ)
        g.scope = logs.request_scope(g.identity.request_id)
        g.scope.__enter__()

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        scope = g.pop("scope", None)
        if scope is not None:
            scope.__exit__(None, None, None)

    @app.after_request
    def count(response: Response) -> Response:
        if request.path not in _OWN_PATHS:
            method = metrics.method_label(request.method)
            route = metrics.NO_ROUTE if request.url_rule is None else request.url_rule.rule
            metrics.count(service, protocol, route, method, response.status_code, seconds=time.monotonic() - g.began)
        return response

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if request.path in _OWN_PATHS and isinstance(error, HTTPException):
            return cast("Response", error.get_response())
        if not isinstance(error, (vendor_error, HTTPException, IdentityError, RequestBodyError)):
            _log(error)
        return render_error(error)

    return app


def _log(error: Exception) -> None:
    """Log a dependency that does not answer in one line, and a fault of the hub with its type and place."""
    if isinstance(error, Unavailable):
        logs.get("web").warning("service.unavailable", path=request.path, reason=str(error))
    else:
        logs.get("web").error("request.failed", path=request.path, method=request.method, exc_info=error)


def large_reads(stream: Any, block: int = 1 << 20) -> Iterator[bytes]:
    """Yield a request's body in blocks of at most `block` bytes. Raises ClientDisconnected where it is cut short."""
    try:
        while chunk := stream.read(block):
            yield chunk
    except OSError as error:
        raise ClientDisconnected from error
