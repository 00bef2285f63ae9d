"""Map URLs to operations, and exceptions to the vendor's answers."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from mft_common import logs, web
from mft_common.errors import IdentityError, Unavailable
from mqmft_svc import wire
from mqmft_svc.domain.callers import Caller
from mqmft_svc.errors import (
    BodyNotJson,
    BodyTooLarge,
    CredentialsMissing,
    CsrfHeaderMissing,
    Internal,
    MethodNotAllowed,
    NoSuchResource,
    QueueManagerAway,
    RestError,
)
from mqmft_svc.operations import Operations
from mqmft_svc.operations.transfers import Answer
from mqmft_svc.schemas import agent_queries, queries
from mqmft_svc.schemas.login import login as read_login
from mqmft_svc.schemas.submissions import submission as read_submission

_BASE: Final = "/ibmmq/rest/<any(v1,v2,v3):version>"
_V3: Final = "/ibmmq/rest/v3"
_MFT: Final = "/admin/mft"
_LOGIN: Final = re.compile("/ibmmq/rest/v[123]/login/?")
_PREFLIGHT: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "content-type, authorization, ibm-mq-rest-csrf-token",
}


def blueprint(operations: Operations) -> Blueprint:
    """Return all resources; credentials are checked before anything else (22)."""
    pages = Blueprint("mft", __name__)
    _add_hooks(pages, operations)
    _add_transfers(pages, operations)
    _add_submissions(pages, operations)
    _add_agents(pages, operations)
    _add_login(pages, operations)
    _add_unbuilt(pages, operations)
    return pages


def _add_hooks(pages: Blueprint, operations: Operations) -> None:
    @pages.before_app_request
    def first() -> Response | None:
        if "identity" not in g:
            return None
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers and _origin(operations):
            return _empty(_PREFLIGHT)
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


def _add_transfers(pages: Blueprint, operations: Operations) -> None:
    settings = operations.settings

    @pages.get(f"{_BASE}{_MFT}/transfer")
    def get_transfers(version: str) -> Response:
        operations.access.authorize_read(_caller(), "transfer")
        return _shown(operations.transfers.list_transfers(queries.list_query(_pairs(), version, settings)))

    @pages.get(f"{_BASE}{_MFT}/transfer/<transfer_id>")
    def get_transfer(version: str, transfer_id: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        operations.access.authorize_read(_caller(), "transfer")
        return _shown(operations.transfers.get_transfer(transfer_id, queries.single_query(_pairs(), settings)))


def _add_agents(pages: Blueprint, operations: Operations) -> None:
    settings = operations.settings

    @pages.get(f"{_BASE}{_MFT}/agent")
    def get_agents(version: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        operations.access.authorize_read(_caller(), "agent")
        return _json({"agent": operations.agents.list_agents(agent_queries.list_query(_pairs(), settings))})

    @pages.get(f"{_BASE}{_MFT}/agent/<path:name>")
    def get_agent(version: str, name: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        operations.access.authorize_read(_caller(), "agent")
        selection = agent_queries.single_query(_pairs(), settings)
        return _json({"agent": operations.agents.get_agent(agent_queries.agent_name(name), selection)})


def _add_submissions(pages: Blueprint, operations: Operations) -> None:
    settings = operations.settings

    @pages.post(f"{_BASE}{_MFT}/transfer")
    def post_transfer(version: str) -> Response:
        _check_write(operations)
        queries.no_query(_pairs(), settings)
        body = b"".join(web.large_reads(request.stream))
        wanted = read_submission(wire.json_body(request.headers.get("Content-Type", ""), body))
        id_ = operations.submitting.submit(wanted, _caller(), request.headers.get("Idempotency-Key", ""))
        base = web.identity().base_url or request.host_url.rstrip("/")
        return _empty({"Location": f"{base}/ibmmq/rest/{version}{_MFT}/transfer/{id_}"}, 202)

    if not settings.extensions:
        return

    @pages.delete(f"{_V3}{_MFT}/transfer/<transfer_id>")
    def delete_transfer(transfer_id: str) -> Response:
        _check_write(operations)
        queries.no_query(_pairs(), settings)
        operations.submitting.cancel(transfer_id)
        return _empty({}, 202)


def _check_write(operations: Operations) -> None:
    """Raise unless the request may change something, in the order of 22."""
    _require_csrf(operations)
    operations.access.authorize_write(_caller())


def _add_login(pages: Blueprint, operations: Operations) -> None:
    settings = operations.settings

    @pages.post(f"{_BASE}/login")
    def post_login(version: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        # The stream is read to its end, where werkzeug finds that a chunked body exceeds the limit.
        body = b"".join(web.large_reads(request.stream))
        name, password = read_login(wire.json_body(request.headers.get("Content-Type", ""), body))
        opened = operations.access.login(name, password, web.identity())
        return _with_cookie(opened.token)

    @pages.get(f"{_BASE}/login")
    def get_login(version: str) -> Response:
        queries.no_query(_pairs(), settings)
        user: dict[str, Any] = {"name": _caller().user, "role": list(_caller().roles)}
        if version == "v1":
            user["authenticationMechanism"] = _caller().mechanism
        return _json({"user": [user]})

    @pages.delete(f"{_BASE}/login")
    def delete_login(version: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        _require_csrf(operations)
        operations.access.logout(web.identity(), request.cookies.getlist(settings.token_cookie))
        return _with_cookie("", drop=True)

    def _with_cookie(token: str, *, drop: bool = False) -> Response:
        secure = web.identity().scheme == "https"
        value = wire.cookie(settings.token_cookie, token, secure=secure, drop=drop)
        return _empty({"Set-Cookie": value})


def _add_unbuilt(pages: Blueprint, operations: Operations) -> None:
    """Answer 404 for resources that are not built yet, after the checks that go before it (22)."""

    def add(path: str, resource: str, *methods: str) -> None:
        def unbuilt(**_names: str) -> Response:
            if request.method in {"GET", "HEAD"}:
                operations.access.authorize_read(_caller(), resource)
            else:
                _require_csrf(operations)
                operations.access.authorize_write(_caller())
            raise NoSuchResource

        pages.add_url_rule(path, f"{path} {methods[0]}", unbuilt, methods=list(methods))

    add(f"{_BASE}{_MFT}/monitor", "monitor", "GET", "POST")
    add(f"{_BASE}{_MFT}/monitor/<path:name>", "monitor", "GET", "DELETE")
    add(f"{_V3}{_MFT}/call", "call", "GET", "POST")
    add(f"{_V3}{_MFT}/call/<call_id>", "call", "GET")


def _caller() -> Caller:
    caller: Caller = g.caller
    return caller


def _pairs() -> queries.Pairs:
    return wire.query_pairs(request.environ.get("QUERY_STRING", ""))


def _require_csrf(operations: Operations) -> None:
    if wire.CSRF not in request.headers:
        raise CsrfHeaderMissing(int(operations.settings.csrf_status))


def _origin(operations: Operations) -> str | None:
    origin = request.headers.get("Origin")
    return origin if origin in operations.settings.cors_origins else None


def _json(value: Any, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    body = value if isinstance(value, bytes) else wire.to_bytes(value)
    return Response(body, status, {**wire.HEADERS, **(headers or {})}, content_type=wire.CONTENT_TYPE)


def _empty(headers: Mapping[str, str], status: int = 204) -> Response:
    response = Response(status=status, headers={**wire.HEADERS, **headers})
    del response.headers["Content-Type"]
    return response


def _shown(answer: Answer) -> Response:
    return _json({"transfer": answer.transfers}, {wire.TOTAL: str(answer.total)})


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
        return _json(wire.error_bytes(rendered), headers, rendered.status)

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
    known = {400: BodyNotJson, 404: NoSuchResource, 413: BodyTooLarge}
    if isinstance(error, HTTPException) and error.code in known:
        return known[error.code]()
    return Internal(request_id=logs.request_id() or "-")
