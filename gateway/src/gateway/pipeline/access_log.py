"""Log and count every response, once its last byte is sent."""

import time
from typing import Any

from gateway.pipeline.context import RequestContext
from gateway.pipeline.response_handlers import ResponseHead
from mft_common import environ_keys, logs
from mft_common.process import metrics

_PROBES = frozenset(("/healthz", "/readyz", "/metrics"))
_sent: dict[str, Any] = {}


def log_when_finished(context: RequestContext, head: ResponseHead) -> None:
    """Log the response when its last byte is sent, or now under a server that does not tell when that is.

    A response that replaces another one is logged in its stead where neither was sent yet.
    """
    if context.logged:
        return
    context.logged = True
    finished = context.environ.get(environ_keys.FINISHED)
    if finished is not None:
        finished.append(lambda status, sent, whole: _log(context, status, sent, whole=whole))
        return
    length = next((value for name, value in head.headers if name.lower() == "content-length"), "0")
    _log(context, context.status, int(length), whole=True)


def _log(context: RequestContext, status: int, sent: int, *, whole: bool) -> None:
    seconds = time.monotonic() - context.began
    protocol = context.protocol or "own"
    route = metrics.NO_ROUTE if context.route is None else context.route.prefix
    _count(protocol, route, metrics.method_label(context.method), status, seconds=seconds, sent=sent)
    log = logs.get("access")
    if not log.info_enabled:
        return
    identity = context.identity
    fields: dict[str, Any] = {
        "method": context.method,
        "path": context.path,
        "status": status,
        "bytes": sent,
        "ms": round(seconds * 1000, 2),
        "address": context.address,
        "request_id": context.request_id,
    }
    if query := context.environ.get("QUERY_STRING"):
        fields["query"] = logs.redact_query(query)
    if identity is not None and identity.account:
        fields["account"] = identity.account
    if not whole:
        fields["cut"] = True
    # Supervisors probe every few seconds: a line for each probe would hide the other requests.
    write = log.debug if context.route is None and context.path in _PROBES else log.info
    write("request.answered", **fields)


def _count(protocol: str, route: str, method: str, status: int, *, seconds: float, sent: int) -> None:
    metrics.count("gateway", protocol, route, method, status, seconds=seconds)
    counter = _sent.get(protocol)
    if counter is None:
        counter = _sent[protocol] = metrics.BYTES.labels("gateway", protocol, "out")
    counter.inc(sent)
