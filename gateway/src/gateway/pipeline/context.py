"""State of one request on its way through the pipeline."""

import time
from dataclasses import dataclass
from typing import Any, Protocol, Self
from wsgiref.types import StartResponse

from gateway.routing import Route
from mft_common import environ_keys
from mft_common.directory import Directory
from mft_common.identity import Identity


class GatewayDirectory(Directory, Protocol):
    """The directory as the pipeline needs it: that of the services, and one question more."""

    def takes_basic(self, service: str) -> bool:
        """True when the configuration lets callers of this service send Basic credentials with each call."""
        ...


@dataclass(slots=True)
class RequestContext:
    """Findings of the request handlers on one request; each may rely on the fields that those before it set.

    `address` is the client's, once `resolve_client_address` has run. `route` is None for the hub's own pages, `status`
    that of the response that was started last, 0 before any. `began` is in seconds of `time.monotonic()`.
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
    status: int = 0
    logged: bool = False

    @classmethod
    def from_wsgi(cls, environ: dict[str, Any], start_response: StartResponse) -> Self:
        """Return the context of a request of which nothing but its environment is known."""
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
