"""Handle one request: build its environment, call the application, and answer errors in the form of the path."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from wsgiref.types import WSGIApplication

from gateway.serving.body import Body, ChunkedBody, CountedBody
from gateway.serving.channel import Channel
from gateway.serving.response_writer import SERVER, FileWrapper, ResponseWriter, ShortResponseError
from mft_common import environ_keys, logs
from mft_common.http1 import RequestBodyError, UpstreamBroken
from mft_common.http1.request_head import RequestHead

# Called when a response has ended: its status, the bytes of its body that were sent, and whether it was complete.
Finished = Callable[[int, int, bool], None]


class MakeError(Protocol):
    """Makes the response to a request that the server itself rejects."""

    def __call__(
        self, status: int, method: str, path: str, address: str, request_id: str = ""
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return status line, headers and body in the form that a client of `path` expects."""
        ...


@dataclass(frozen=True)
class ServerApplication:
    """The application, and what the server asks of it beside WSGI."""

    application: WSGIApplication
    make_error: MakeError
    draining: Callable[[], bool] = field(default=lambda: False)


def base_environ(host: str, port: int, *, tls: bool) -> dict[str, Any]:
    """Return what the environments of all requests of one listener have in common."""
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_SOFTWARE": SERVER,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if tls else "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }


def handle_request(
    server: ServerApplication,
    channel: Channel,
    *,
    base: dict[str, Any],
    peer: tuple[str, int],
    head: RequestHead,
    received: bytes,
) -> bytes | None:
    """Answer a request whose head was followed by the bytes `received`.

    Returns the bytes that follow the request when its connection can be kept, None when it must be closed. A response
    that is incomplete has then been cut already.
    """
    channel.begin()
    body = _body(channel, head, received)
    finished: list[Finished] = []
    environ: dict[str, Any] = {**base, **head.environ}
    environ["REMOTE_ADDR"] = peer[0]
    environ["REMOTE_PORT"] = str(peer[1])
    environ["wsgi.input"] = body
    environ[environ_keys.BEGAN] = time.monotonic()
    environ[environ_keys.FINISHED] = finished
    keep_alive = head.keep_alive and not server.draining()
    writer = ResponseWriter(channel, body, head.method, head.minor, keep_alive=keep_alive)
    complete = False
    # The application gives the request its id; a client's own counts for nothing before.
    request_id = ""
    try:
        # A PATCH may keep the part of its body that arrives before a cut, as resumable uploads do.
        if head.method == "PATCH" or body.prefetch():
            complete = _call(server.application, environ, writer, channel, body)
            request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if not complete and not writer.headers_sent:
            status = body.error.status if body.error else 500
            writer = ResponseWriter(channel, body, head.method, head.minor, keep_alive=False, servers_own=True)
            line, headers, text = server.make_error(status, head.method, environ["PATH_INFO"], peer[0], request_id)
            writer.start_response(line, headers)
            writer.send([text])
            complete = True
    except OSError:
        # The client is gone, or too slow to be served.
        writer.keep_alive = False
    finally:
        for callback in finished:
            callback(writer.code, writer.sent, complete)
    if not complete:
        channel.abort()
        return None
    return body.leftover if writer.keep_alive and body.exhausted else None


def _body(channel: Channel, head: RequestHead, received: bytes) -> Body:
    if head.chunked:
        return ChunkedBody(channel, received, expects_continue=head.expects_continue)
    return CountedBody(channel, received, length=head.length, expects_continue=head.expects_continue)


def _call(
    application: WSGIApplication, environ: dict[str, Any], writer: ResponseWriter, channel: Channel, body: Body
) -> bool:
    """Call the application and send its result; False when that failed. An OSError of the client goes through."""
    result: Any = None
    try:
        result = application(environ, writer.start_response)
        writer.send(result)
    except RequestBodyError:
        return False
    except (UpstreamBroken, ShortResponseError) as error:
        logs.get("serving").warning("response.incomplete", path=environ["PATH_INFO"], reason=str(error))
        return False
    except Exception as error:
        if channel.gone and isinstance(error, OSError):
            raise
        if body.error is None:
            logs.get("serving").exception("request.failed", path=environ["PATH_INFO"], method=environ["REQUEST_METHOD"])
        return False
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    return True
