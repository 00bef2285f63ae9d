"""The WSGI application in front of all services: three lists of handlers, and the call of the service between them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication

from gateway.error_responses import UNBUILT, GatewayResponse
from gateway.errors import RequestRejected
from gateway.pipeline import access_log, cross_origin, request_handlers, response_handlers
from gateway.pipeline.authenticators import Authenticators
from gateway.pipeline.client_address import ProxyWarning
from gateway.pipeline.context import GatewayDirectory, RequestContext
from gateway.pipeline.cross_origin import ListedOrigins
from gateway.pipeline.error_handlers import ERROR_HANDLERS
from gateway.pipeline.options import PipelineOptions
from gateway.pipeline.rate_limit import RateLimiter
from gateway.pipeline.response_handlers import ResponseHead
from gateway.routing import ROUTES, Route
from mft_common import environ_keys, logs
from mft_common.http1 import Upstream
from mft_common.identity import Signer

RequestHandler = Callable[[RequestContext], GatewayResponse | None]
ResponseHandler = Callable[[RequestContext, ResponseHead], None]

RESPONSE_HANDLERS: Final[tuple[ResponseHandler, ...]] = (
    response_handlers.set_request_id,
    cross_origin.set_cross_origin_headers,
    access_log.log_when_finished,
)


class Pipeline:
    """Answers every request of the hub: those of a protocol through its service, all others through `own`.

    `upstreams` go by service name; a route without one is answered as not built. `signer` signs identities for
    services behind a network, and may be None where all of them are in this process.
    """

    def __init__(
        self,
        *,
        own: WSGIApplication,
        upstreams: Mapping[str, Upstream],
        directory: GatewayDirectory,
        signer: Signer | None = None,
        options: PipelineOptions | None = None,
        routes: Sequence[Route] = ROUTES,
        own_body_limit: int = 8 << 20,
    ) -> None:
        options = options or PipelineOptions()
        proxies, public_url, served = options.trusted_proxies, options.public_url, tuple(routes)
        all_peers_local, warning = options.all_peers_local, ProxyWarning()
        listed = ListedOrigins(directory)
        limiter = RateLimiter(options.rate, options.burst)
        authenticators = Authenticators(directory, options.token_cookie)
        # The first handler that returns a response ends the request. The order matters: the request id stands in every
        # log line, and the route decides the form of every error, so these come first. Forwarding headers are read,
        # then stripped. Errors need the cross-origin headers too, so they are settled before anything is rejected. A
        # request over a limit costs no look-up of its credentials. Lambdas, because Python calls them in a fifth of the
        # time of `functools.partial` with keywords.
        self._request_handlers: tuple[RequestHandler, ...] = (
            lambda context: request_handlers.detect_trusted_proxy(context, proxies),
            request_handlers.assign_request_id,
            lambda context: request_handlers.find_route(context, served),
            lambda context: request_handlers.resolve_client_address(context, proxies, all_peers_local, warning),
            lambda context: request_handlers.resolve_base_url(context, public_url),
            request_handlers.strip_untrusted_headers,
            lambda context: cross_origin.check_origin(context, listed),
            lambda context: request_handlers.enforce_limits(context, limiter, own_body_limit),
            request_handlers.answer_server_options,
            lambda context: request_handlers.authenticate(context, authenticators),
        )
        self._response_handlers = RESPONSE_HANDLERS
        self._error_handlers = ERROR_HANDLERS
        self._own = own
        self._upstreams = dict(upstreams)
        self._signer = signer
        if signer is None and any(upstream.remote for upstream in self._upstreams.values()):
            raise ValueError("services behind a network need a signer of identities")

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as WSGI says."""
        context = RequestContext.from_wsgi(environ, start_response)
        try:
            for handle in self._request_handlers:
                response = handle(context)
                if response is not None:
                    return self._send(context, response)
            return self._forward(context)
        except Exception as error:  # noqa: BLE001 -- an error of a service is answered in the form of its protocol
            return self._send(context, self._error_response(context, error))

    def _forward(self, context: RequestContext) -> Iterable[bytes]:
        """Call the service, with the identity in the form that it can trust."""
        start_response = self._start_response(context)
        with logs.request_scope(context.request_id):
            if context.route is None:
                return self._own(context.environ, start_response)
            service = context.route.service
            upstream = self._upstreams.get(service)
            if upstream is None:
                raise RequestRejected(UNBUILT)
            assert context.identity is not None
            if upstream.remote:
                assert self._signer is not None
                context.environ[environ_keys.IDENTITY_HEADER] = self._signer.dumps(context.identity, service)
            else:
                context.environ[environ_keys.IDENTITY] = context.identity
            return upstream.call(context.environ, start_response)

    def _error_response(self, context: RequestContext, error: Exception) -> GatewayResponse:
        for handler in self._error_handlers:
            if isinstance(error, handler.type):
                return handler.handle(context, error)
        raise error

    def _start_response(self, context: RequestContext) -> StartResponse:
        """Return the start_response that a service gets; it runs the response handlers.

        The body is never wrapped, or the server could not recognise a file that the kernel can send.
        """

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
        ) -> Callable[[bytes], object]:
            head = ResponseHead(status, list(headers))
            context.status = int(status[:3])
            for handle in self._response_handlers:
                handle(context, head)
            if exc_info is None:
                return context.start_response(head.status, head.headers)
            return context.start_response(head.status, head.headers, exc_info)

        return start_response

    def _send(self, context: RequestContext, response: GatewayResponse) -> Iterable[bytes]:
        """Send a response of the gateway's own, also in place of one that a service has started.

        The server raises the error that stands here for that start once a byte of it was sent.
        """
        exc_info: Any = None
        if context.status:
            replaced = RequestRejected(response.status)
            exc_info = (RequestRejected, replaced, replaced.__traceback__)
        headers = list(response.headers)
        if response.status != 204:
            headers.append(("Content-Length", str(len(response.body))))
        self._start_response(context)(response.line, headers, exc_info)
        return [response.body]
