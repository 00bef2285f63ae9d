"""The WSGI application in front of everything: steps of a request, steps of its answer, steps of an error."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication

from gateway.door import answers, steps
from gateway.door.call import Call, DoorDirectory, Refused
from gateway.door.credentials import Resolvers
from gateway.door.input import BodyTooLargeError
from gateway.door.options import DoorOptions
from gateway.door.rates import Rates
from gateway.refusals import UNBUILT, Refusal, refusal
from gateway.routing import ROUTES, Route
from mft_common import logs
from mft_common.errors import Unavailable
from mft_common.http1 import RequestBodyCut, Upstream, UpstreamUnavailable
from mft_common.identity import ENVIRON_HEADER, ENVIRON_KEY, Signer

# In this order: an id for every log line, then whom we speak with; claims go before anybody can read them; the route
# decides the form of every refusal, so limits come after it; nobody is looked up whom the limits would turn away.
REQUEST_STEPS: Final = (
    steps.trust_the_peer,
    steps.take_request_id,
    steps.take_client_address,
    steps.drop_claims,
    steps.find_route,
    steps.keep_to_limits,
    steps.find_session,
)


class Door:
    """Answers every request of the hub: those of a protocol through its service, all others through `own`.

    `upstreams` go by service name; a route without one is answered as not built. `signer` signs identities for
    services behind a network, and may be None where all of them are in this process.
    """

    def __init__(
        self,
        *,
        own: WSGIApplication,
        upstreams: Mapping[str, Upstream],
        directory: DoorDirectory,
        signer: Signer | None = None,
        options: DoorOptions | None = None,
        routes: Sequence[Route] = ROUTES,
        own_body_limit: int = 8 << 20,
    ) -> None:
        self.options = options or DoorOptions()
        self.routes = tuple(routes)
        self.own_body_limit = own_body_limit
        self.rates = Rates(self.options.rate, self.options.burst)
        self.resolvers = Resolvers(directory, self.options.token_cookie)
        self._own = own
        self._upstreams = dict(upstreams)
        self._signer = signer
        if signer is None and any(upstream.remote for upstream in self._upstreams.values()):
            raise ValueError("services behind a network need a signer of identities")

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as WSGI says."""
        call = Call(environ, start_response, environ.get("crossdock.began") or time.monotonic())
        answers.watch(call)
        try:
            for step in REQUEST_STEPS:
                step(self, call)
            return self._forward(call)
        except Refused as refused:
            return self._refuse(call, refused.status, refused.retry_after)
        except BodyTooLargeError:
            return self._refuse(call, 413)
        except RequestBodyCut:
            return self._refuse(call, 400)
        except (UpstreamUnavailable, Unavailable) as error:
            logs.get("door").warning("upstream.unavailable", request_id=call.request_id, reason=str(error))
            return self._refuse(call, 503)
        except Exception:  # noqa: BLE001 -- whatever a service lets through is answered in its protocol
            if getattr(environ.get("wsgi.input"), "broken", False):
                # Whatever a service makes of a body that broke off, the fault is the client's.
                return self._refuse(call, 400)
            logs.get("door").exception("request.failed", request_id=call.request_id, path=call.path)
            return self._refuse(call, 500)

    def _forward(self, call: Call) -> Iterable[bytes]:
        """Hand the request on, with the identity in the way that the service can believe."""
        begin = answers.begin(call)
        with logs.request_scope(call.request_id):
            if call.route is None:
                return self._guarded(call, self._own(call.environ, begin))
            service = call.route.service
            upstream = self._upstreams.get(service)
            if upstream is None:
                raise Refused(UNBUILT)
            assert call.identity is not None
            if upstream.remote:
                assert self._signer is not None
                call.environ[ENVIRON_HEADER] = self._signer.dumps(call.identity, service)
            else:
                call.environ[ENVIRON_KEY] = call.identity
            return self._guarded(call, upstream.call(call.environ, begin))

    def _guarded(self, call: Call, result: Iterable[bytes]) -> Iterable[bytes]:
        """Return the service's answer, unless the service answered to a body that was cut off at its limit."""
        if not call.too_large:
            return result
        close = getattr(result, "close", None)
        if close is not None:
            close()
        return self._refuse(call, 413)

    def _refuse(self, call: Call, status: int, retry_after: int = 0) -> Iterable[bytes]:
        method = call.environ["REQUEST_METHOD"]
        made: Refusal = refusal(
            call.route.protocol if call.route else None,
            status,
            method=method,
            path=call.path,
            retry_after=retry_after,
        )
        length = ("Content-Length", str(len(made.body)))
        # A service that had begun to answer is overruled; the server refuses that once something was sent.
        overruled = Refused(status)
        error = (Refused, overruled, overruled.__traceback__) if call.status else None
        answers.begin(call)(made.line, [*made.headers, length], error)  # type: ignore[arg-type]
        return [made.body]
