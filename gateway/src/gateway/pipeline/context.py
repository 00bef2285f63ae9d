"""State of one request on its way through the pipeline."""

from typing import TYPE_CHECKING, Any, Protocol
from wsgiref.types import StartResponse

from mft_common.directory import Account, Directory

if TYPE_CHECKING:
    from gateway.routing import Route
    from mft_common.identity import Identity


class GatewayDirectory(Directory, Protocol):
    """The directory as the pipeline needs it: that of the services, and two questions more."""

    def account(self, service: str, name: str) -> Account | None:
        """Return the account as it is now, None when it is gone or switched off."""
        ...

    def takes_basic(self, service: str) -> bool:
        """True when the configuration lets callers of this service send Basic credentials with each context."""
        ...


class RequestRejected(Exception):  # noqa: N818 -- reads as what it is where it is raised
    """The gateway rejects a request; `status` is HTTP's own, the protocol's form comes later."""

    def __init__(self, status: int, retry_after: int = 0) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after


class RequestContext:
    """Findings of the request handlers on one request; each may rely on the fields that those before it set."""

    __slots__ = (
        *("address", "base_url", "began", "environ", "finished", "identity", "path", "request_id"),
        *("route", "scheme", "start_response", "status", "too_large", "trusted"),
    )

    def __init__(self, environ: dict[str, Any], start_response: StartResponse, began: float) -> None:
        self.environ = environ
        self.start_response = start_response
        self.began = began
        self.path: str = environ.get("PATH_INFO", "")
        self.address: str = environ.get("REMOTE_ADDR", "")
        self.scheme: str = environ.get("wsgi.url_scheme", "http")
        self.request_id = ""
        self.base_url = ""
        self.trusted = False
        self.route: Route | None = None
        self.identity: Identity | None = None
        self.too_large = False
        self.status = 0
        self.finished = False
