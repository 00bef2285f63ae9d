"""The pipeline in front of a service at a URL."""

import contextlib

from gateway.pipeline import Pipeline
from mft_common.http1 import UrlUpstream
from mft_common.identity import Signer
from tests.service.gateway.serving_lab import (
    serving,
)

GET = b"GET /2.0/x HTTP/1.1\r\nHost: dock\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SIGNER = Signer(["the key"])


class NoSessions:
    """A directory without accounts."""

    def find_session(self, service, token):
        """Find nobody."""
        return

    def origins(self, _service):
        """List none."""
        return ()


@contextlib.contextmanager
def pipeline_to(port):
    """Serve a pipeline in front of the service at `port`."""
    with contextlib.closing(UrlUpstream(f"http://127.0.0.1:{port}")) as upstream:
        pipeline = Pipeline(
            own=upstream.call, upstreams={"filestore-svc": upstream}, directory=NoSessions(), signer=SIGNER
        )
        with serving(pipeline) as lab:
            yield lab


@contextlib.contextmanager
def proxied(service):
    """Serve a pipeline in front of a WSGI application behind a URL."""
    with serving(service) as inner, pipeline_to(inner.port) as outer:
        yield outer
