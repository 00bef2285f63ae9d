"""What the door does with a request, one small step each; the order is in `door.py`."""

import re
from typing import TYPE_CHECKING

from gateway import routing
from gateway.door import address
from gateway.door.call import Call, Refused
from gateway.door.input import LimitedInput
from mft_common import ids
from mft_common.identity import Identity

if TYPE_CHECKING:
    from gateway.door.door import Door

_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{8,128}")
# Fields that only a proxy of ours, or nobody, may set: what they say is in the identity by the time a service is asked.
_CLAIMS = ("HTTP_X_CROSSDOCK", "HTTP_X_FORWARDED", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def trust_the_peer(door: "Door", call: Call) -> None:
    """Say whether the peer is a proxy whose headers count."""
    networks = door.options.trusted_proxies
    call.trusted = bool(networks) and address.within(call.address, networks)


def take_request_id(_door: "Door", call: Call) -> None:
    """Give the request an id, or keep the one that a trusted proxy gave it."""
    given = call.environ.get("HTTP_X_REQUEST_ID", "") if call.trusted else ""
    call.request_id = given if _REQUEST_ID.fullmatch(given) else ids.new_request_id()
    call.environ["HTTP_X_REQUEST_ID"] = call.request_id


def take_client_address(door: "Door", call: Call) -> None:
    """Find the client behind trusted proxies, and the address at which it sees us."""
    environ = call.environ
    host = environ.get("HTTP_HOST") or f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}"
    if call.trusted:
        call.address = address.client(
            call.address, environ.get("HTTP_X_FORWARDED_FOR", ""), door.options.trusted_proxies
        )
        proto = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        call.scheme = proto if proto in ("http", "https") else call.scheme
        host = address.last_host(environ.get("HTTP_X_FORWARDED_HOST", "")) or host
        environ["REMOTE_ADDR"] = call.address
        environ["wsgi.url_scheme"] = call.scheme
        environ["HTTP_HOST"] = host
    call.base_url = door.options.public_url or f"{call.scheme}://{host}"


def drop_claims(_door: "Door", call: Call) -> None:
    """Take away what a client may say about itself but not be believed."""
    environ = call.environ
    for key in [key for key in environ if key.startswith(_CLAIMS)]:
        del environ[key]
    environ.pop("crossdock.identity", None)


def find_route(door: "Door", call: Call) -> None:
    """Find out whose path it is; every refusal from here on has that protocol's form."""
    call.route = routing.find(call.path, door.routes)


def keep_to_limits(door: "Door", call: Call) -> None:
    """Refuse requests that come too fast or are too large."""
    if not address.is_loopback(call.address):
        wait = door.rates.wait(call.address)
        if wait:
            raise Refused(429, wait)
    limit = call.route.body_limit if call.route else door.own_body_limit
    if limit is None:
        return
    length = call.environ.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit():
        if int(length) > limit:
            raise Refused(413)
    elif "HTTP_TRANSFER_ENCODING" in call.environ:
        call.environ["wsgi.input"] = LimitedInput(call.environ["wsgi.input"], limit, call)


def find_session(door: "Door", call: Call) -> None:
    """Resolve the credentials and state who calls. Services get this, never a password or a token."""
    route = call.route
    if route is None:
        return
    found = door.resolvers.resolve(route.credentials, route.service, call.environ, call.address)
    # A service has no use for a password, and between machines it would travel on in every call.
    call.environ.pop("HTTP_AUTHORIZATION", None)
    account, session = found.account, found.session
    call.identity = Identity(
        request_id=call.request_id,
        address=call.address,
        scheme=call.scheme,
        base_url=call.base_url,
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
