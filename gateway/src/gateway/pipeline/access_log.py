"""Add the request id to every response, and log and count the response when it ends."""

import time
from collections.abc import Callable
from typing import Any
from wsgiref.types import StartResponse

from gateway.pipeline.context import RequestContext
from mft_common import logs
from mft_common.process import metrics

_PROBES = frozenset(("/healthz", "/readyz", "/metrics"))
_sent: dict[str, Any] = {}


def watch(context: RequestContext) -> None:
    """Have the answer written down when its last byte is sent, where the server can tell us when that is."""
    finished = context.environ.get("crossdock.finished")
    if finished is not None:
        finished.append(lambda status, sent, whole: write_down(context, status, sent, whole=whole))


def begin(context: RequestContext) -> StartResponse:
    """Return the start_response that services get: it adds the request id and leaves the body to the server.

    The body itself is never wrapped, or the server could not recognise a file that the kernel can send.
    """

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        context.status = int(status[:3])
        kept = [pair for pair in headers if pair[0].lower() != "x-request-id"]
        kept.append(("X-Request-ID", context.request_id))
        if "crossdock.finished" not in context.environ:
            length = next((value for name, value in kept if name.lower() == "content-length"), "0")
            write_down(context, context.status, int(length), whole=True)
        if exc_info is None:
            return context.start_response(status, kept)
        return context.start_response(status, kept, exc_info)

    return start_response


def write_down(context: RequestContext, status: int, sent: int, *, whole: bool) -> None:
    """Log and count an answer, once."""
    if context.finished:
        return
    context.finished = True
    seconds = time.monotonic() - context.began
    environ = context.environ
    method = environ["REQUEST_METHOD"]
    protocol = context.route.protocol if context.route else "own"
    _count(protocol, metrics.method_label(method), status, seconds, sent)
    log = logs.get("access")
    if not log.tells:
        return
    identity = context.identity
    fields: dict[str, Any] = {
        "method": method,
        "path": context.path,
        "status": status,
        "bytes": sent,
        "ms": round(seconds * 1000, 2),
        "address": context.address,
        "request_id": context.request_id,
    }
    if query := environ.get("QUERY_STRING"):
        fields["query"] = logs.redact_query(query)
    if identity is not None and identity.account:
        fields["account"] = identity.account
    if not whole:
        fields["cut"] = True
    # What a supervisor asks every few seconds is worth no line.
    say = log.debug if context.route is None and context.path in _PROBES else log.info
    say("request.answered", **fields)


def _count(protocol: str, method: str, status: int, seconds: float, sent: int) -> None:
    metrics.count("gateway", protocol, method, status, seconds)
    counter = _sent.get(protocol)
    if counter is None:
        counter = _sent[protocol] = metrics.BYTES.labels("gateway", protocol, "out")
    counter.inc(sent)
