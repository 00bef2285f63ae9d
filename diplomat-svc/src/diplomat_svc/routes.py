"""Map the one path of the API to the operations, and exceptions to XML errors."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from diplomat_svc.domain.names import pack_label
from diplomat_svc.domain.parameters import Parameters
from diplomat_svc.errors import BadRequest, DiplomatError, Unauthorized
from diplomat_svc.operations import Operations
from diplomat_svc.operations.histories import Histories
from diplomat_svc.operations.sessions import COOKIE, Connected, LimitReached, PasswordExpired
from diplomat_svc.schemas import requests
from diplomat_svc.settings import SERVICE
from diplomat_svc.wire import answers, parameters
from diplomat_svc.wire.answers import Answer
from mft_common import logs, web
from mft_common.errors import IdentityError, Unavailable
from mft_common.identity import Identity
from mft_common.identity_reader import IdentityReader
from mft_common.joblog import Buffer, View
from mft_common.process import health

PATH: Final = "/diplomat/APIRequest"
_ALLOW: Final = {"Allow": "GET, POST"}
_METHODS: Final = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE")


class Request(NamedTuple):
    """One of the eleven requests: the functions that parse its parameters, carry it out and render its result."""

    read: Callable[[Parameters], Any]
    do: Callable[..., Any]
    write: Callable[[Any], Answer]
    session: bool = True


def _nothing(_result: None) -> Answer:
    return answers.ok()


def _histories(found: Histories) -> Answer:
    return answers.histories(found.update_rate, ((one.monitor_time, one.name, one.jobs) for one in found.blocks))


def _view(view: View) -> Answer:
    return answers.log_view(view.id, view.lines, view.buffer_lines)


def _buffer(found: Buffer) -> Answer:
    return answers.log_buffer(found.number, found.first_line, found.lines)


def requests_of(operations: Operations) -> dict[str, Request]:
    """Return the table of the API's requests (6)."""
    display_name = operations.configuration.options.display_name

    def connected(outcome: Connected | LimitReached | PasswordExpired) -> Answer:
        if isinstance(outcome, Connected):
            return answers.connected(outcome.account, outcome.role, display_name, outcome.cookie)
        if isinstance(outcome, LimitReached):
            return answers.full(outcome.sessions, display_name)
        return answers.expired(display_name)

    def connect(operations: Operations, asked: requests.Connect, caller: Identity) -> Any:
        g.label = pack_label(asked.domain, asked.user_id)
        return operations.connect(asked, caller, parameters.cookies(request.environ, COOKIE))

    return {
        "connect": Request(requests.connect, connect, connected, session=False),
        "disconnect": Request(requests.disconnect, Operations.disconnect, _nothing),
        "runNow": Request(requests.run_now, Operations.run_now, answers.scheduled),
        "transactionStatuses": Request(
            requests.transaction_statuses, Operations.transaction_statuses, answers.statuses
        ),
        "cancel": Request(requests.transaction, Operations.cancel, _nothing),
        "terminate": Request(requests.transaction, Operations.terminate, _nothing),
        "summary": Request(requests.transaction, Operations.summary, answers.summary),
        "jobHistories": Request(requests.job_histories, Operations.job_histories, _histories),
        "logView": Request(requests.log_view, Operations.log_view, _view),
        "logBuffer": Request(requests.log_buffer, Operations.log_buffer, _buffer),
        "removeLogView": Request(requests.remove_log_view, Operations.remove_log_view, _nothing),
    }


def _answer(operations: Operations, table: dict[str, Request], caller: Identity) -> Answer:
    """Check a request in the order of A6, then carry it out."""
    operations.check_api()
    call = parameters.read(request.environ)
    g.kind = call.kind
    one = table.get(call.kind or "")
    if one is None:
        raise BadRequest("The parameter requestType names no request of this API.")
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Unauthorized("Requests from other sites' pages have no session here.")
    if one.session:
        operations.check_session(caller)
    if call.fault is not None:
        raise BadRequest(call.fault)
    return one.write(one.do(operations, one.read(call.parameters), caller))


def _begun(body: bytes | Iterator[bytes]) -> bytes | Iterator[bytes]:
    """Return a body whose first piece is made already: an error of it is still an answer of its own."""
    if isinstance(body, bytes):
        return body
    first, second = next(body, b""), next(body, None)
    return first if second is None else chain((first, second), body)


def _respond(answer: Answer) -> Response:
    return Response(
        _begun(answer.body), status=answer.status, headers=dict(answer.headers), content_type=answers.CONTENT_TYPE
    )


def render_error(error: Exception) -> Response:
    """Render any exception as an errorResponse; faults of the service are not described to the client."""
    if isinstance(error, Unauthorized):
        after = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return _respond(answers.error(401, str(error), after))
    if isinstance(error, DiplomatError):
        return _respond(answers.error(error.status, str(error)))
    if isinstance(error, IdentityError):
        return _respond(answers.error(401, "There is no active session."))
    if isinstance(error, HTTPException):
        return _respond(_http(error))
    if isinstance(error, Unavailable):
        after = {"Retry-After": str(error.retry_after)}
        return _respond(answers.error(500, "The service cannot answer at the moment; try again later.", after))
    return _respond(answers.error(500, "The service met an internal error."))


def _http(error: HTTPException) -> Answer:
    if request.path == PATH and error.code == 405:
        return answers.error(405, "The API takes GET and POST.", _ALLOW)
    if error.code in (404, 405, 308):
        return answers.error(404, f"The API is at {PATH}.")
    return answers.error(400, "The request cannot be read.")


def create(operations: Operations, identities: IdentityReader, checks: health.Checks) -> Flask:
    """Return the application."""
    app = web.create(
        "diplomat_svc",
        service=SERVICE,
        protocol="diplomat",
        identities=identities,
        checks=checks,
        vendor_error=DiplomatError,
        render_error=render_error,
    )
    app.url_map.strict_slashes = True
    pages = Blueprint("diplomat", __name__)
    table = requests_of(operations)

    @pages.route(PATH, methods=_METHODS, provide_automatic_options=False)
    def api_request() -> Response:
        if request.method not in ("GET", "POST"):
            return _respond(answers.error(405, "The API takes GET and POST.", _ALLOW))
        return _respond(_answer(operations, table, web.identity()))

    @app.after_request
    def log_request(response: Response) -> Response:
        if request.path == PATH and "identity" in g:
            # One line a request (A59): label, type and status, but no parameters; a connect has the label it asks for.
            label = g.get("label", web.identity().label)
            logs.get("routes").info("diplomat.request", label=label, kind=g.get("kind"), status=response.status_code)
        return response

    app.register_blueprint(pages)
    return app
