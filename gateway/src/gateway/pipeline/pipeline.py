"""The WSGI application in front of all services: it runs the request handlers, forwards, and renders errors."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication

from gateway.error_responses import UNBUILT, ErrorResponse, error_response
from gateway.pipeline import access_log, request_handlers
from gateway.pipeline.authenticators import Authenticators
from gateway.pipeline.context import GatewayDirectory, RequestContext, RequestRejected
from gateway.pipeline.input import BodyTooLargeError
from gateway.pipeline.options import PipelineOptions
from gateway.pipeline.rate_limit import Rates
from gateway.routing import ROUTES, Route
from mft_common import logs
from mft_common.errors import Unavailable
from mft_common.http1 import RequestBodyCut, Upstream, UpstreamUnavailable
from mft_common.identity import ENVIRON_HEADER, ENVIRON_KEY, Signer

# In this order: an id for every log line, then whom we speak with; claims go before anybody can read them; the route
# decides the form of every refusal, so limits come after it; nobody is looked up whom the limits would turn away.
REQUEST_HANDLERS: Final = (
    request_handlers.detect_trusted_proxy,
    request_handlers.assign_request_id,
    request_handlers.resolve_client_address,
    request_handlers.strip_untrusted_headers,
    request_handlers.find_route,
    request_handlers.enforce_limits,
    request_handlers.authenticate,
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
        self.options = options or PipelineOptions()
        self.routes = tuple(routes)
        self.own_body_limit = own_body_limit
        self.rates = Rates(self.options.rate, self.options.burst)
        self.authenticators = Authenticators(directory, self.options.token_cookie)
        self._own = own
        self._upstreams = dict(upstreams)
        self._signer = signer
        if signer is None and any(upstream.remote for upstream in self._upstreams.values()):
            raise ValueError("services behind a network need a signer of identities")

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as WSGI says."""
        context = RequestContext(environ, start_response, environ.get("crossdock.began") or time.monotonic())
        access_log.watch(context)
        try:
            for handle in REQUEST_HANDLERS:
                handle(self, context)
            return self._forward(context)
        except RequestRejected as refused:
            return self._refuse(context, refused.status, refused.retry_after)
        except BodyTooLargeError:
            return self._refuse(context, 413)
        except RequestBodyCut:
            return self._refuse(context, 400)
        except (UpstreamUnavailable, Unavailable) as error:
            logs.get("pipeline").warning("upstream.unavailable", request_id=context.request_id, reason=str(error))
            return self._refuse(context, 503)
        except Exception:  # noqa: BLE001 -- whatever a service lets through is answered in its protocol
            if getattr(environ.get("wsgi.input"), "broken", False):
                # Whatever a service makes of a body that broke off, the fault is the client's.
                return self._refuse(context, 400)
            logs.get("pipeline").exception("request.failed", request_id=context.request_id, path=context.path)
            return self._refuse(context, 500)

    def _forward(self, context: RequestContext) -> Iterable[bytes]:
        """Hand the request on, with the identity in the way that the service can believe."""
        begin = access_log.begin(context)
        with logs.request_scope(context.request_id):
            if context.route is None:
                return self._guarded(context, self._own(context.environ, begin))
            service = context.route.service
            upstream = self._upstreams.get(service)
            if upstream is None:
                raise RequestRejected(UNBUILT)
            assert context.identity is not None
            if upstream.remote:
                assert self._signer is not None
                context.environ[ENVIRON_HEADER] = self._signer.dumps(context.identity, service)
            else:
                context.environ[ENVIRON_KEY] = context.identity
            return self._guarded(context, upstream.call(context.environ, begin))

    def _guarded(self, context: RequestContext, result: Iterable[bytes]) -> Iterable[bytes]:
        """Return the service's answer, unless the service answered to a body that was cut off at its limit."""
        if not context.too_large:
            return result
        close = getattr(result, "close", None)
        if close is not None:
            close()
        return self._refuse(context, 413)

    def _refuse(self, context: RequestContext, status: int, retry_after: int = 0) -> Iterable[bytes]:
        method = context.environ["REQUEST_METHOD"]
        made: ErrorResponse = error_response(
            context.route.protocol if context.route else None,
            status,
            method=method,
            path=context.path,
            retry_after=retry_after,
        )
        length = ("Content-Length", str(len(made.body)))
        # A service that had begun to answer is overruled; the server refuses that once something was sent.
        overruled = RequestRejected(status)
        error = (RequestRejected, overruled, overruled.__traceback__) if context.status else None
        access_log.begin(context)(made.line, [*made.headers, length], error)  # type: ignore[arg-type]
        return [made.body]
