"""One request on its way through the door."""

from typing import TYPE_CHECKING, Any, Protocol
from wsgiref.types import StartResponse

from mft_common.directory import Account, Directory

if TYPE_CHECKING:
    from gateway.routing import Route
    from mft_common.identity import Identity


class DoorDirectory(Directory, Protocol):
    """What the door asks beyond what services ask."""

    def account(self, service: str, name: str) -> Account | None:
        """Return the account as it is now, None when it is gone or switched off."""
        ...

    def takes_basic(self, service: str) -> bool:
        """True when the configuration lets callers of this service send Basic credentials with each call."""
        ...


class Refused(Exception):  # noqa: N818 -- reads as what it is where it is raised
    """The door refuses a request; `status` is HTTP's own, the protocol's form comes later."""

    def __init__(self, status: int, retry_after: int = 0) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after


class Call:
    """What the steps find out about one request; each step may rely on what those before it have set."""

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
