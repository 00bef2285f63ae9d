"""Request handlers, one small function each; their order is in `pipeline.py`."""

import re
from typing import TYPE_CHECKING

from gateway import routing
from gateway.pipeline import client_address
from gateway.pipeline.context import RequestContext, RequestRejected
from gateway.pipeline.input import LimitedInput
from mft_common import ids
from mft_common.identity import Identity

if TYPE_CHECKING:
    from gateway.pipeline.pipeline import Pipeline

_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{8,128}")
# Fields that only a proxy of ours, or nobody, may set: what they say is in the identity by the time a service is asked.
_CLAIMS = ("HTTP_X_CROSSDOCK", "HTTP_X_FORWARDED", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def detect_trusted_proxy(pipeline: "Pipeline", context: RequestContext) -> None:
    """Say whether the peer is a proxy whose headers count."""
    networks = pipeline.options.trusted_proxies
    context.trusted = bool(networks) and client_address.within(context.address, networks)


def assign_request_id(_pipeline: "Pipeline", context: RequestContext) -> None:
    """Give the request an id, or keep the one that a trusted proxy gave it."""
    given = context.environ.get("HTTP_X_REQUEST_ID", "") if context.trusted else ""
    context.request_id = given if _REQUEST_ID.fullmatch(given) else ids.new_request_id()
    context.environ["HTTP_X_REQUEST_ID"] = context.request_id


def resolve_client_address(pipeline: "Pipeline", context: RequestContext) -> None:
    """Find the client behind trusted proxies, and the address at which it sees us."""
    environ = context.environ
    host = environ.get("HTTP_HOST") or f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}"
    if context.trusted:
        context.address = client_address.client(
            context.address, environ.get("HTTP_X_FORWARDED_FOR", ""), pipeline.options.trusted_proxies
        )
        proto = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        context.scheme = proto if proto in ("http", "https") else context.scheme
        host = client_address.last_host(environ.get("HTTP_X_FORWARDED_HOST", "")) or host
        environ["REMOTE_ADDR"] = context.address
        environ["wsgi.url_scheme"] = context.scheme
        environ["HTTP_HOST"] = host
    context.base_url = pipeline.options.public_url or f"{context.scheme}://{host}"


def strip_untrusted_headers(_pipeline: "Pipeline", context: RequestContext) -> None:
    """Take away what a client may say about itself but not be believed."""
    environ = context.environ
    for key in [key for key in environ if key.startswith(_CLAIMS)]:
        del environ[key]
    environ.pop("crossdock.identity", None)


def find_route(pipeline: "Pipeline", context: RequestContext) -> None:
    """Find out whose path it is; every refusal from here on has that protocol's form."""
    context.route = routing.find(context.path, pipeline.routes)


def enforce_limits(pipeline: "Pipeline", context: RequestContext) -> None:
    """Refuse requests that come too fast or are too large."""
    if not client_address.is_loopback(context.address):
        wait = pipeline.rates.wait(context.address)
        if wait:
            raise RequestRejected(429, wait)
    limit = context.route.body_limit if context.route else pipeline.own_body_limit
    if limit is None:
        return
    length = context.environ.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit():
        if int(length) > limit:
            raise RequestRejected(413)
    elif "HTTP_TRANSFER_ENCODING" in context.environ:
        context.environ["wsgi.input"] = LimitedInput(context.environ["wsgi.input"], limit, context)


def authenticate(pipeline: "Pipeline", context: RequestContext) -> None:
    """Resolve the credentials and state who calls. Services get this, never a password or a token."""
    route = context.route
    if route is None:
        return
    found = pipeline.authenticators.resolve(route.credentials, route.service, context.environ, context.address)
    # A service has no use for a password, and between machines it would travel on in every context.
    context.environ.pop("HTTP_AUTHORIZATION", None)
    account, session = found.account, found.session
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
        mechanism=found.mechanism,
        reason=found.reason,
        retry_after=found.retry_after,
    )
