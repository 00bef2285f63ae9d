"""A service of another process gets the whole of a grant that no header could hold."""

import base64
import contextlib
import threading

import pytest
from flask import Response, jsonify
from werkzeug.serving import make_server

from gateway import routes
from gateway.domain import AccountSpec
from gateway.pipeline import Pipeline
from mft_common import web
from mft_common.directory import RemoteDirectory
from mft_common.http1 import UrlUpstream
from mft_common.identity import Signer
from mft_common.identity_reader import IdentityReader
from tests.servers.processes import free_port
from tests.service.gateway.serving_lab import serving, talk

TOPICS = [f"SYSTEM.FTE/{number}/#" for number in range(1500)]
SIGNER = Signer(["a key"])
BASIC = base64.b64encode(b"mquser:secret")


@contextlib.contextmanager
def internal_api(operations):
    """Serve the gateway's internal API; yield a directory that asks it."""
    port = free_port()
    server = make_server("127.0.0.1", port, routes.create(operations, SIGNER, {}, port), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    directory = RemoteDirectory(f"http://127.0.0.1:{port}", SIGNER)
    yield directory
    directory.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def service():
    """Return a function that makes a service which answers with the topics of its caller."""

    def make(directory):
        app = web.create(
            "mq",
            service="mqmft-svc",
            protocol="ibm-mq-mft",
            identities=IdentityReader("mqmft-svc", SIGNER, directory),
            checks={},
            vendor_error=LookupError,
            render_error=lambda error: Response(repr(error), 500),
        )

        @app.get("/ibmmq/rest/v1/topics")
        def topics():
            caller = web.identity()
            return jsonify(topics=len(caller.grant["topics"]), contact=caller.contact, revision=caller.revision)

        return app

    return make


def ask(port):
    """Send a request with a password; return the response."""
    head = b"GET /ibmmq/rest/v1/topics HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nAuthorization: Basic %s\r\n\r\n"
    return talk(port, head % BASIC)


def test_a_service_reads_a_large_grant_from_the_gateway(operations, service):
    """The header stays small, and a changed grant holds with the next request."""
    account = AccountSpec(
        name="mquser", password="secret", contact="MQ", grants={"ibm_mq_mft": {"roles": [], "topics": TOPICS}}
    )
    operations.apply_accounts([account])
    with (
        internal_api(operations) as directory,
        serving(service(directory)) as inner,
        contextlib.closing(UrlUpstream(f"http://127.0.0.1:{inner.port}")) as upstream,
        serving(Pipeline(own=None, upstreams={"mqmft-svc": upstream}, directory=operations, signer=SIGNER)) as outer,
    ):
        assert b'"topics":1500' in ask(outer.port).replace(b" ", b"")
        operations.apply_accounts(
            [AccountSpec(**{**account.__dict__, "grants": {"ibm_mq_mft": {"topics": TOPICS[:900]}}})]
        )
        answer = ask(outer.port).replace(b" ", b"")
        assert b'"topics":900' in answer
        assert b'"revision":2' in answer
