"""Request handlers, one small function each; their order is in `pipeline.py`."""

import re
from collections.abc import Sequence
from functools import lru_cache

from gateway import routing
from gateway.error_responses import GatewayResponse
from gateway.errors import RequestRejected
from gateway.pipeline import client_address
from gateway.pipeline.authenticators import Authenticators
from gateway.pipeline.client_address import ProxyWarning
from gateway.pipeline.context import RequestContext
from gateway.pipeline.rate_limit import RateLimiter
from gateway.routing import Route
from mft_common import addresses, environ_keys, ids
from mft_common.addresses import Network
from mft_common.identity import Identity

_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{8,128}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# A name has 253 characters at most, and a port five.
_MAX_HOST = 260
# Headers that only a trusted proxy, or only the gateway, may set; the identity holds their meaning for the services.
_UNTRUSTED = ("HTTP_X_CROSSDOCK", "HTTP_X_FORWARDED", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def detect_trusted_proxy(context: RequestContext, proxies: Sequence[Network]) -> None:
    """Find out whether the peer is a proxy whose headers count."""
    context.from_trusted_proxy = bool(proxies) and addresses.is_within(context.address, proxies)


def assign_request_id(context: RequestContext) -> None:
    """Give the request an id, or keep the one that a trusted proxy gave it."""
    given = context.environ.get("HTTP_X_REQUEST_ID", "") if context.from_trusted_proxy else ""
    context.request_id = given if _REQUEST_ID.fullmatch(given) else ids.new_request_id()
    context.environ["HTTP_X_REQUEST_ID"] = context.request_id


def resolve_client_address(
    context: RequestContext, proxies: Sequence[Network], all_peers_local: bool, warning: ProxyWarning
) -> None:
    """Find the client behind trusted proxies.

    A local peer that forwards for a client it does not name, or whose word does not count, has the address "unknown":
    no client of a proxy may pass for one of this machine.
    """
    environ = context.environ
    named = None
    if context.from_trusted_proxy:
        named = client_address.forwarded_client(environ.get("HTTP_X_FORWARDED_FOR", ""), proxies)
    if named is not None:
        # A proxy on another machine has no client on this one: the client wrote that address itself.
        spoofed = addresses.is_loopback(named) and not addresses.is_loopback(context.address)
        context.address = addresses.UNKNOWN if spoofed else named
    elif (all_peers_local or addresses.is_loopback(context.address)) and addresses.is_forwarded(environ):
        if not context.from_trusted_proxy:
            warning.log(context.address)
        context.address = addresses.UNKNOWN
    environ["REMOTE_ADDR"] = context.address


def resolve_base_url(context: RequestContext, public_url: str) -> None:
    """Find the URL at which the client sees the hub; a Host that is longer than any name is rejected."""
    environ = context.environ
    host = environ.get("HTTP_HOST") or f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}"
    if context.from_trusted_proxy:
        proto = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        context.scheme = proto if proto in ("http", "https") else context.scheme
        host = client_address.last_host(environ.get("HTTP_X_FORWARDED_HOST", "")) or host
        environ["wsgi.url_scheme"] = context.scheme
        environ["HTTP_HOST"] = host
    if len(host) > _MAX_HOST:
        raise RequestRejected(400)
    context.base_url = public_url or f"{context.scheme}://{host}"


def strip_untrusted_headers(context: RequestContext) -> None:
    """Remove what a client may say of itself but must not be believed."""
    environ = context.environ
    for key in _untrusted(tuple(environ)):
        del environ[key]
    environ.pop(environ_keys.IDENTITY, None)


# Most requests have the header names of an earlier one. Clients choose them, so few are kept.
@lru_cache(maxsize=64)
def _untrusted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name.startswith(_UNTRUSTED))


def find_route(context: RequestContext, routes: Sequence[Route]) -> None:
    """Find the service of the path; every error from here on has the form of its protocol."""
    context.route = routing.find(context.path, routes)


def enforce_limits(context: RequestContext, limiter: RateLimiter, own_body_limit: int) -> None:
    """Reject requests that come too fast or are too large."""
    if not addresses.is_loopback(context.address):
        wait = limiter.wait(addresses.client_network(context.address))
        if wait:
            raise RequestRejected(429, retry_after=wait)
    limit = context.route.body_limit if context.route else own_body_limit
    if limit is None:
        return
    length = context.environ.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit():
        if int(length) > limit:
            raise RequestRejected(413)
    elif "HTTP_TRANSFER_ENCODING" in context.environ:
        # The server's own RequestBody (see mft_common.http1).
        context.environ["wsgi.input"].limit(limit)


def answer_server_options(context: RequestContext) -> GatewayResponse | None:
    """Answer `OPTIONS *`, which asks whether the server is there at all (RFC 9110 9.3.7)."""
    if context.method != "OPTIONS" or context.path != "*":
        return None
    return GatewayResponse(204, [("Allow", ", ".join(_METHODS))], b"")


def authenticate(context: RequestContext, authenticators: Authenticators) -> None:
    """Resolve the credentials to an identity. Services get this, never a password or a token."""
    route = context.route
    if route is None:
        return
    result = authenticators.authenticate(route.credentials, route.service, context.environ, context.address)
    # A service has no use for a password, and between machines it would travel on with every request.
    context.environ.pop("HTTP_AUTHORIZATION", None)
    account, session = result.account, result.session
    context.identity = Identity(
        request_id=context.request_id,
        address=context.address,
        scheme=context.scheme,
        base_url=context.base_url,
        account=account.name if account else None,
        contact=account.contact if account else "",
        grant=account.grant if account else None,
        revision=account.revision if account else 0,
        session=session.public_id if session else None,
        label=session.label if session else "",
        mechanism=result.mechanism,
        reason=result.reason,
        retry_after=result.retry_after,
    )
