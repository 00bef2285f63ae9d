"""Serve the resource `call`, in version 3 alone (1.M)."""

from flask import Blueprint, Response, request

from mqmft_svc.operations import Operations
from mqmft_svc.routes import http
from mqmft_svc.routes.http import MFT, V3
from mqmft_svc.schemas import queries
from mqmft_svc.schemas.calls import call_submission


def add(pages: Blueprint, operations: Operations) -> None:
    """Add reading and submitting."""
    settings = operations.settings

    @pages.get(f"{V3}{MFT}/call")
    def get_calls() -> Response:
        operations.access.authorize_read(http.caller(), "call")
        return http.json_response({"call": operations.calls.list_calls(queries.call_list(http.pairs(), settings))})

    @pages.get(f"{V3}{MFT}/call/<call_id>")
    def get_call(call_id: str) -> Response:
        operations.access.authorize_read(http.caller(), "call")
        return http.json_response(
            {"call": operations.calls.get_call(call_id, queries.single_call(http.pairs(), settings))}
        )

    @pages.post(f"{V3}{MFT}/call")
    def post_call() -> Response:
        http.check_write(operations)
        queries.no_query(http.pairs(), settings)
        wanted = call_submission(http.json_body())
        id_ = operations.calls.submit(wanted, http.caller(), request.headers.get("Idempotency-Key", ""))
        return http.empty_response({"Location": http.location(f"v3{MFT}/call/{id_}")}, 202)
