"""Serve the resource `login` (1.I)."""

from typing import Any

from flask import Blueprint, Response, request

from mft_common import web
from mqmft_svc import wire
from mqmft_svc.operations import Operations
from mqmft_svc.routes import http
from mqmft_svc.routes.http import BASE
from mqmft_svc.schemas import queries
from mqmft_svc.schemas.login import login


def add(pages: Blueprint, operations: Operations) -> None:
    """Add logging in, the account that is logged in, and logging out."""
    settings = operations.settings

    @pages.post(f"{BASE}/login")
    def post_login(version: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        name, password = login(http.json_body())
        return _with_cookie(operations.access.login(name, password, web.identity()).token)

    @pages.get(f"{BASE}/login")
    def get_login(version: str) -> Response:
        queries.no_query(http.pairs(), settings)
        caller = http.caller()
        user: dict[str, Any] = {"name": caller.user, "role": list(caller.roles)}
        if version == "v1":
            user["authenticationMechanism"] = caller.mechanism
        return http.json_response({"user": [user]})

    @pages.delete(f"{BASE}/login")
    def delete_login(version: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        http.require_csrf(operations)
        operations.access.logout(web.identity(), request.cookies.getlist(settings.token_cookie))
        return _with_cookie("", drop=True)

    def _with_cookie(token: str, *, drop: bool = False) -> Response:
        secure = web.identity().scheme == "https"
        value = wire.cookie(settings.token_cookie, token, secure=secure, drop=drop)
        return http.empty_response({"Set-Cookie": value})
