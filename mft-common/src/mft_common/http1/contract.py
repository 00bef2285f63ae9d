"""What every upstream promises, and how it fails."""

from collections.abc import Iterable
from typing import Any, Protocol
from wsgiref.types import StartResponse


class UpstreamError(Exception):
    """A request could not be carried to the service, or its answer not back."""


class UpstreamUnavailable(UpstreamError):  # noqa: N818 -- reads as what it is where it is raised
    """The service cannot be reached, or went away before it answered; nothing has been answered yet."""


class UpstreamBroken(UpstreamError):  # noqa: N818 -- reads as what it is where it is raised
    """The service's answer broke off after its head; whoever relays it must cut the client's connection."""


class RequestBodyCut(UpstreamError):  # noqa: N818 -- reads as what it is where it is raised
    """The client's body ended before its end, so the service was shown a broken one."""


class Upstream(Protocol):
    """A service that answers WSGI requests; `remote` tells whether a network lies between."""

    remote: bool

    def call(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request in `environ`, as a WSGI application does.

        Raises UpstreamUnavailable before `start_response` was called, RequestBodyCut when the client's body breaks
        off; the iterable raises UpstreamBroken. The iterable's `close()` must be called where it has one.
        """
        ...
