"""The interface of every upstream, and its errors."""

from collections.abc import Iterable
from typing import Any, Protocol
from wsgiref.types import StartResponse


class UpstreamError(Exception):
    """A request could not be sent to the service, or its response not be read."""


class UpstreamUnavailable(UpstreamError):  # noqa: N818 -- reads as what it is where it is raised
    """The service cannot be reached, or closed before it answered; the client has got nothing yet."""


class UpstreamBroken(UpstreamError):  # noqa: N818 -- reads as what it is where it is raised
    """The service's response is incomplete; the server that relays it must cut the client's connection."""


class RequestBodyError(OSError):
    """A request's body cannot be read to its end; the server then refuses the request with `status`.

    It is 400 for a body that is cut short or malformed, and 413 for one over its limit. `partial` are the bytes that
    the failed read had received before.
    """

    def __init__(self, status: int, why: str, partial: bytes = b"") -> None:
        super().__init__(why)
        self.status = status
        self.partial = partial


class RequestBody(Protocol):
    """A request's body as the gateway's server puts it into `wsgi.input`, which offers more than WSGI asks for.

    Each read raises RequestBodyError where the body is cut short, malformed or over its limit.
    """

    @property
    def available(self) -> int:
        """How many bytes can be read without waiting for the client."""
        ...

    def limit(self, most: int) -> None:
        """Let no more than `most` bytes of the body be read."""
        ...

    def read(self, size: int | None = -1, /) -> bytes:
        """Return `size` bytes, fewer only at the end; all there are without a size."""
        ...

    def read1(self, size: int = -1, /) -> bytes:
        """Return at least one byte and at most `size`, as soon as there are any; empty at the end."""
        ...

    def ready_before(self, other: int, /) -> bool:
        """Wait until the body can be read (True) or the descriptor `other` can (False), whichever is first."""
        ...


class Upstream(Protocol):
    """A service that answers WSGI requests; `remote` is true for one in another process."""

    remote: bool

    def call(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request in `environ`, as a WSGI application does.

        Raises UpstreamUnavailable before `start_response` was called, RequestBodyError where the client's body cannot
        be read to its end; the iterable raises UpstreamBroken. Call the iterable's `close()` where it has one.
        """
        ...
