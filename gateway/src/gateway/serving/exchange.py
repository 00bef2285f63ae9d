"""Answer one request: build its environment, call the application, and say in the vendor's form what went wrong."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from wsgiref.types import WSGIApplication

from gateway.serving.answer import SERVER, Answer, FileWrapper, ShortAnswerError
from gateway.serving.body import Body, ChunkedBody, CountedBody
from gateway.serving.channel import Channel
from mft_common import environ_keys, logs
from mft_common.http1 import RequestBodyError, UpstreamBroken
from mft_common.http1.request_head import Head

# Called when an answer is over: its status, the bytes of its body that were sent, and whether it was whole.
Finished = Callable[[int, int, bool], None]


class Refuse(Protocol):
    """Makes the answer to what the server itself refuses: `(status line, headers, body)`."""

    def __call__(
        self, status: int, method: str, path: str, address: str, request_id: str = ""
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return an answer in the form that a client of `path` expects, and log it."""
        ...


@dataclass(frozen=True)
class Site:
    """What answers requests: the application, and the refusals of the server."""

    application: WSGIApplication
    refuse: Refuse
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


def answer_request(
    site: Site, channel: Channel, *, base: dict[str, Any], peer: tuple[str, int], head: Head, rest: bytes
) -> bytes | None:
    """Answer a request whose head was followed by the bytes `rest`.

    Returns the bytes that follow the request when its connection can be kept, None when it must be closed. An answer
    that broke off has then been cut already.
    """
    channel.begin()
    body: Body
    if head.chunked:
        body = ChunkedBody(channel, rest, expects=head.expects)
    else:
        body = CountedBody(channel, rest, length=head.length, expects=head.expects)
    finished: list[Finished] = []
    environ: dict[str, Any] = {**base, **head.environ}
    environ["REMOTE_ADDR"] = peer[0]
    environ["REMOTE_PORT"] = str(peer[1])
    environ["wsgi.input"] = body
    environ[environ_keys.BEGAN] = time.monotonic()
    environ[environ_keys.FINISHED] = finished
    answer = Answer(channel, body, head.method, head.minor, keep=head.keep and not site.draining())
    whole = False
    # The application gives the request its id; a client's own counts for nothing before.
    request_id = ""
    try:
        if body.prefetch():
            whole = _run(site.application, environ, answer, channel, body)
            request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if not whole and not answer.begun:
            status = body.error.status if body.error else 500
            answer = Answer(channel, body, head.method, head.minor, keep=False, servers_own=True)
            line, headers, text = site.refuse(status, head.method, environ["PATH_INFO"], peer[0], request_id)
            answer.start(line, headers)
            answer.deliver([text])
            whole = True
    except OSError:
        # The client is gone, or too slow to be served.
        answer.keep = False
    finally:
        for tell in finished:
            tell(answer.code, answer.sent, whole)
    if not whole:
        channel.abort()
        return None
    return body.leftover if answer.keep and body.exhausted else None


def _run(application: WSGIApplication, environ: dict[str, Any], answer: Answer, channel: Channel, body: Body) -> bool:
    """Call the application and send what it returns; False when that failed. An OSError of the client goes through."""
    result: Any = None
    try:
        result = application(environ, answer.start)
        answer.deliver(result)
    except RequestBodyError:
        return False
    except (UpstreamBroken, ShortAnswerError) as error:
        logs.get("serving").warning("answer.broken", path=environ["PATH_INFO"], reason=str(error))
        return False
    except Exception as error:
        if channel.gone and isinstance(error, OSError):
            raise
        if body.error is None:
            logs.get("serving").exception("answer.failed", path=environ["PATH_INFO"], method=environ["REQUEST_METHOD"])
        return False
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    return True
