"""State of one request on its way through the pipeline."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol, Self
from wsgiref.types import StartResponse

from gateway.routing import Route
from mft_common import environ_keys
from mft_common.directory import Directory
from mft_common.identity import Identity


class GatewayDirectory(Directory, Protocol):
    """The directory as the pipeline needs it: that of the services, and two questions more."""

    def takes_basic(self, service: str) -> bool:
        """True when the configuration lets callers of this service send Basic credentials with each call."""
        ...

    def origins(self, service: str) -> Collection[str]:
        """Return the origins, in lower case, whose pages may call this service."""
        ...


@dataclass(slots=True)
class RequestContext:
    """Findings of the request handlers on one request; each may rely on the fields that those before it set.

    `address` is the client's, once `resolve_client_address` has run. `route` is None for the hub's own pages. Of the
    origins that the configuration lists, `allowed_origin` is the request's, and `varies_by_origin` says that there are
    any. `status` is that of the response that was started last, 0 before any. `began` is in seconds of
    `time.monotonic()`.
    """

    environ: dict[str, Any]
    start_response: StartResponse
    method: str
    path: str
    address: str
    scheme: str
    began: float
    request_id: str = ""
    base_url: str = ""
    from_trusted_proxy: bool = False
    route: Route | None = None
    identity: Identity | None = None
    varies_by_origin: bool = False
    allowed_origin: str | None = None
    status: int = 0
    logged: bool = False

    @classmethod
    def from_wsgi(cls, environ: dict[str, Any], start_response: StartResponse) -> Self:
        """Return the context of a request that no handler has seen yet."""
        return cls(
            environ,
            start_response,
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO", ""),
            address=environ.get("REMOTE_ADDR", ""),
            scheme=environ.get("wsgi.url_scheme", "http"),
            began=environ.get(environ_keys.BEGAN) or time.monotonic(),
        )

    @property
    def protocol(self) -> str | None:
        """The protocol of the request's path, None for the hub's own pages."""
        return None if self.route is None else self.route.protocol
