"""Response handlers, which change the head of every response; their order is in `pipeline.py`."""

from dataclasses import dataclass

from gateway.pipeline.context import RequestContext


@dataclass(slots=True)
class ResponseHead:
    """Status line and headers of a response that is about to be started."""

    status: str
    headers: list[tuple[str, str]]


def set_request_id(context: RequestContext, head: ResponseHead) -> None:
    """Show the request id of the gateway's log, in place of any that the service has set."""
    head.headers = [pair for pair in head.headers if pair[0].lower() != "x-request-id"]
    head.headers.append(("X-Request-ID", context.request_id))
