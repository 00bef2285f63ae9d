"""Routes: the service of each path, and how its callers authenticate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

Protocol = Literal["http-mft", "diplomat", "ibm-mq-mft", "data-protector"]
Credentials = Literal["cookie-pair-or-basic", "jsessionid", "basic-or-token", "none"]


@dataclass(frozen=True, kw_only=True)
class CrossOrigin:
    """Requests that pages of listed origins may send, and headers that they may read of the responses."""

    methods: tuple[str, ...]
    request_headers: tuple[str, ...]
    exposed_headers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Route:
    """All paths at or below `prefix` go to `service`; `body_limit` is in bytes, None for none.

    `safe_methods` says that the protocol's GET, PUT and DELETE are what HTTP says they are, and may be sent twice.
    `cross_origin` says how pages of other origins call the service, None where the service decides it itself.
    `logged_parameters` names the query parameters that hold no secret: the log shows their values.
    """

    prefix: str
    service: str
    protocol: Protocol
    credentials: Credentials
    body_limit: int | None = None
    safe_methods: bool = True
    cross_origin: CrossOrigin | None = None
    logged_parameters: tuple[str, ...] = ()


# http-mft.md S34: the headers of S17, S18, S35, X1 and ranges.
_HTTP_MFT: Final = CrossOrigin(
    methods=("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"),
    request_headers=(
        *("Authorization", "Content-Type", "Content-MD5", "Repr-Digest", "X-Request-ID"),
        *("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"),
        *("Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum"),
        *("Upload-Concat", "Upload-Defer-Length"),
    ),
    exposed_headers=(
        *("Location", "ETag", "Fileset", "Repr-Digest", "Retry-After", "X-Request-ID"),
        *("Accept-Ranges", "Content-Range", "Content-Disposition"),
        *("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"),
        *("Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires"),
    ),
)

# Files go through the first, and a file has no size limit here; the others carry documents.
ROUTES: Final[tuple[Route, ...]] = (
    Route(
        prefix="/2.0",
        service="filestore-svc",
        protocol="http-mft",
        credentials="cookie-pair-or-basic",
        cross_origin=_HTTP_MFT,
        logged_parameters=("filter", "sort", "direction", "start", "limit", "type"),
    ),
    Route(
        prefix="/diplomat",
        service="diplomat-svc",
        protocol="diplomat",
        credentials="jsessionid",
        body_limit=1 << 20,
        safe_methods=False,
        logged_parameters=(
            *("requestType", "transactionID", "transactionName", "since", "sequence", "logViewID", "lineNum"),
        ),
    ),
    Route(
        prefix="/ibmmq/rest",
        service="mqmft-svc",
        protocol="ibm-mq-mft",
        credentials="basic-or-token",
        body_limit=8 << 20,
        logged_parameters=(
            *("attributes", "limit", "after", "before", "name", "state", "type", "agentName", "agentQmgr"),
        ),
    ),
    Route(
        prefix="/dataprotector",
        service="sertainty-svc",
        protocol="data-protector",
        credentials="none",
        body_limit=32 << 20,
    ),
)


def find(path: str, routes: Sequence[Route] = ROUTES) -> Route | None:
    """Return the route of a decoded path, None for the gateway's own pages."""
    for route in routes:
        if path.startswith(route.prefix) and path[len(route.prefix) :][:1] in ("", "/"):
            return route
    return None


def with_limits(limits: Mapping[str, int | None], routes: Sequence[Route] = ROUTES) -> tuple[Route, ...]:
    """Return the routes with the body limits of `limits`, which go by service."""
    return tuple(replace(route, body_limit=limits.get(route.service, route.body_limit)) for route in routes)
