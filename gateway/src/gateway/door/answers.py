"""What the door adds to every answer, and what it writes down about it."""

import time
from collections.abc import Callable
from typing import Any
from wsgiref.types import StartResponse

from gateway.door.call import Call
from mft_common import logs
from mft_common.process import metrics

_PROBES = frozenset(("/healthz", "/readyz", "/metrics"))
_sent: dict[str, Any] = {}


def watch(call: Call) -> None:
    """Have the answer written down when its last byte is sent, where the server can tell us when that is."""
    finished = call.environ.get("crossdock.finished")
    if finished is not None:
        finished.append(lambda status, sent, whole: write_down(call, status, sent, whole=whole))


def begin(call: Call) -> StartResponse:
    """Return the start_response that services get: it adds the request id and leaves the body to the server.

    The body itself is never wrapped, or the server could not recognise a file that the kernel can send.
    """

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        call.status = int(status[:3])
        kept = [pair for pair in headers if pair[0].lower() != "x-request-id"]
        kept.append(("X-Request-ID", call.request_id))
        if "crossdock.finished" not in call.environ:
            length = next((value for name, value in kept if name.lower() == "content-length"), "0")
            write_down(call, call.status, int(length), whole=True)
        if exc_info is None:
            return call.start_response(status, kept)
        return call.start_response(status, kept, exc_info)

    return start_response


def write_down(call: Call, status: int, sent: int, *, whole: bool) -> None:
    """Log and count an answer, once."""
    if call.finished:
        return
    call.finished = True
    seconds = time.monotonic() - call.began
    environ = call.environ
    method = environ["REQUEST_METHOD"]
    protocol = call.route.protocol if call.route else "own"
    _count(protocol, metrics.method_label(method), status, seconds, sent)
    log = logs.get("access")
    if not log.tells:
        return
    identity = call.identity
    fields: dict[str, Any] = {
        "method": method,
        "path": call.path,
        "status": status,
        "bytes": sent,
        "ms": round(seconds * 1000, 2),
        "address": call.address,
        "request_id": call.request_id,
    }
    if query := environ.get("QUERY_STRING"):
        fields["query"] = logs.redact_query(query)
    if identity is not None and identity.account:
        fields["account"] = identity.account
    if not whole:
        fields["cut"] = True
    # What a supervisor asks every few seconds is worth no line.
    say = log.debug if call.route is None and call.path in _PROBES else log.info
    say("request.answered", **fields)


def _count(protocol: str, method: str, status: int, seconds: float, sent: int) -> None:
    metrics.count("gateway", protocol, method, status, seconds)
    counter = _sent.get(protocol)
    if counter is None:
        counter = _sent[protocol] = metrics.BYTES.labels("gateway", protocol, "out")
    counter.inc(sent)
