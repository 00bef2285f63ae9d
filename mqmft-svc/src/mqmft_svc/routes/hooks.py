"""Check credentials before each request (22), and add the cross-origin headers after it (58)."""

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, Response, g, request

from mft_common import web
from mqmft_svc import wire
from mqmft_svc.operations import Operations
from mqmft_svc.routes import http

_PREFLIGHT: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "content-type, authorization, ibm-mq-rest-csrf-token",
}


def add(pages: Blueprint, operations: Operations) -> None:
    """Add both to all resources."""

    @pages.before_app_request
    def first() -> Response | None:
        if "identity" not in g:
            return None
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers and _origin(operations):
            return http.empty_response(_PREFLIGHT)
        if request.endpoint != "mft.post_login":
            g.caller = operations.access.authenticate(web.identity())
        return None

    @pages.after_app_request
    def allow_origin(response: Response) -> Response:
        if operations.settings.cors_origins:
            response.vary.add("Origin")
        if origin := _origin(operations):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = f"{wire.TOTAL}, Location"
        return response


def _origin(operations: Operations) -> str | None:
    origin = request.headers.get("Origin")
    return origin if origin in operations.settings.cors_origins else None
