"""Answer 404 for resources that are not built yet, after the checks that go before it (22)."""

from flask import Blueprint, Response, request

from mqmft_svc.errors import NoSuchResource
from mqmft_svc.operations import Operations
from mqmft_svc.routes import http
from mqmft_svc.routes.http import MFT, V3


def add(pages: Blueprint, operations: Operations) -> None:
    """Add calls."""

    def add_one(path: str, resource: str, *methods: str) -> None:
        def unbuilt(**_names: str) -> Response:
            if request.method in {"GET", "HEAD"}:
                operations.access.authorize_read(http.caller(), resource)
            else:
                http.check_write(operations)
            raise NoSuchResource

        pages.add_url_rule(path, f"{path} {methods[0]}", unbuilt, methods=list(methods))

    add_one(f"{V3}{MFT}/call", "call", "GET", "POST")
    add_one(f"{V3}{MFT}/call/<call_id>", "call", "GET")
