"""Serve the resource `transfer` (1.D to 1.G, 1.J)."""

from flask import Blueprint, Response, request

from mqmft_svc import wire
from mqmft_svc.operations import Operations
from mqmft_svc.operations.transfers import Answer
from mqmft_svc.routes import http
from mqmft_svc.routes.http import BASE, MFT, V3
from mqmft_svc.schemas import queries
from mqmft_svc.schemas.submissions import submission


def add(pages: Blueprint, operations: Operations) -> None:
    """Add reading, submitting and, where the extensions are on, stopping."""
    settings = operations.settings

    @pages.get(f"{BASE}{MFT}/transfer")
    def get_transfers(version: str) -> Response:
        operations.access.authorize_read(http.caller(), "transfer")
        return _shown(operations.transfers.list_transfers(queries.list_query(http.pairs(), version, settings)))

    @pages.get(f"{BASE}{MFT}/transfer/<transfer_id>")
    def get_transfer(version: str, transfer_id: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        operations.access.authorize_read(http.caller(), "transfer")
        return _shown(operations.transfers.get_transfer(transfer_id, queries.single_query(http.pairs(), settings)))

    @pages.post(f"{BASE}{MFT}/transfer")
    def post_transfer(version: str) -> Response:
        http.check_write(operations)
        queries.no_query(http.pairs(), settings)
        wanted = submission(http.json_body())
        id_ = operations.submitting.submit(wanted, http.caller(), request.headers.get("Idempotency-Key", ""))
        return http.empty_response({"Location": http.location(f"{version}{MFT}/transfer/{id_}")}, 202)

    if not settings.extensions:
        return

    @pages.delete(f"{V3}{MFT}/transfer/<transfer_id>")
    def delete_transfer(transfer_id: str) -> Response:
        http.check_write(operations)
        queries.no_query(http.pairs(), settings)
        operations.transfers.require_visible(transfer_id)
        operations.submitting.cancel(transfer_id, http.caller())
        return http.empty_response({}, 202)


def _shown(answer: Answer) -> Response:
    return http.json_response({"transfer": answer.transfers}, {wire.TOTAL: str(answer.total)})
