"""Let pages of other origins that the configuration lists call the hub from a browser (the CORS protocol of Fetch)."""

import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

from gateway.error_responses import GatewayResponse
from gateway.pipeline.context import RequestContext
from gateway.pipeline.response_handlers import ResponseHead

# Each request of a service that may list origins needs them, so they are read at most this often.
_CACHED_S: Final = 5.0
_PREFLIGHT_CACHED_S: Final = 600


class OriginSource(Protocol):
    """The part of the directory that knows the listed origins."""

    def origins(self, service: str) -> Collection[str]:
        """Return the origins, in lower case, whose pages may call this service."""
        ...


class ListedOrigins:
    """The origins of each service, read again when they are a few seconds old."""

    def __init__(self, source: OriginSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._read: dict[str, tuple[float, Collection[str]]] = {}

    def of(self, service: str) -> Collection[str]:
        """Return the listed origins of a service."""
        now = self._clock()
        read = self._read.get(service)
        if read is None or read[0] <= now:
            read = self._read[service] = (now + _CACHED_S, self._source.origins(service))
        return read[1]


def check_origin(context: RequestContext, listed: ListedOrigins) -> GatewayResponse | None:
    """Note whether the request comes from a page of a listed origin, and answer such a page's preflight.

    A preflight of any other origin goes on to the service, which knows no cross-origin headers.
    """
    route = context.route
    if route is None or route.cross_origin is None:
        return None
    origins = listed.of(route.service)
    context.varies_by_origin = bool(origins)
    origin: str | None = context.environ.get("HTTP_ORIGIN")
    if origin is None or origin.lower() not in origins:
        return None
    context.allowed_origin = origin
    if context.method != "OPTIONS" or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in context.environ:
        return None
    rules = route.cross_origin
    headers = [
        ("Access-Control-Allow-Methods", ", ".join(rules.methods)),
        ("Access-Control-Allow-Headers", ", ".join(rules.request_headers)),
        ("Access-Control-Max-Age", str(_PREFLIGHT_CACHED_S)),
        ("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    return GatewayResponse(204, headers, b"")


def set_cross_origin_headers(context: RequestContext, head: ResponseHead) -> None:
    """Let the page of a listed origin read the response; caches must not give it to a page of another origin."""
    if not context.varies_by_origin:
        return
    head.headers.append(("Vary", "Origin"))
    if context.allowed_origin is None or context.route is None or context.route.cross_origin is None:
        return
    head.headers += [
        ("Access-Control-Allow-Origin", context.allowed_origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", ", ".join(context.route.cross_origin.exposed_headers)),
    ]
