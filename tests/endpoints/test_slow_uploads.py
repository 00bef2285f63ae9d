"""Uploads to servers that take the bytes slowly: the limit is that of a wait without a byte, not of a block."""

import contextlib
import socket

import pytest

from crossdock import certificate
from filestore_svc.store.bucket import client
from mft_common.endpoints.errors import Transient
from mft_common.endpoints.filestore import Filestore, calls
from mft_common.endpoints.http import open_http
from mft_common.endpoints.s3 import open_s3
from mft_common.endpoints.sending import send_all
from mft_common.endpoints.targets import Target, Timeouts
from tests.servers.slow_reader import SlowReader
from tests.servers.stopwatch import Stopwatch

TOKEN = "0123456789ABCDEF"
CONTENT = bytes(range(256)) * (24 << 12)


def opened(kind, server, timeouts):
    if kind == "s3":
        return open_s3(Target(scheme="s3", host="bucket", endpoint=server.url, timeouts=timeouts), part=32 << 20)
    if kind == "http":
        return open_http(Target(scheme="http", host="127.0.0.1", port=server.port, folder="/", timeouts=timeouts))
    return Filestore(server.url, ("a-key",)).open("/in")


def upload(far, content):
    writer = far.writer("f", token=TOKEN, size=len(content) + 1)
    writer.begin()
    # One block, that a limit of the whole block shows; the last byte comes by the commit of a web server.
    writer.feed(content)
    writer.feed(b"\n")
    return writer


@pytest.mark.parametrize("kind", ["s3", "http", "filestore"])
def test_a_server_that_takes_the_bytes_slowly_gets_the_file(kind, monkeypatch):
    """Its pauses are shorter than the idle limit, and a block takes longer than the limits to connect and to idle."""
    monkeypatch.setattr(calls, "_IDLE_S", 2.0)
    with SlowReader(at_once=512 << 10, pause=0.1) as server, opened(kind, server, Timeouts(0.5, 2.0)) as far:
        writer = upload(far, CONTENT)
        if kind != "filestore":
            writer.seal(len(CONTENT) + 1, "", "size")
            writer.commit()
        assert server.bodies == [CONTENT + b"\n"]


@contextlib.contextmanager
def aborted(writer):
    """Abort a writer at the end, whatever became of it."""
    try:
        yield writer
    finally:
        writer.abort()


def test_a_web_server_with_tls_that_takes_the_bytes_slowly_gets_the_file(tmp_path):
    """The limit of a connection with TLS would count over a whole block too."""
    tls = certificate.ensure(tmp_path)
    with SlowReader(at_once=512 << 10, pause=0.1, tls=tls) as server:
        target = Target(
            scheme="https", host="127.0.0.1", port=server.port, folder="/", ca=str(tls[0]), timeouts=Timeouts(5, 2.0)
        )
        with open_http(target) as far, aborted(far.writer("f", token=TOKEN, size=len(CONTENT) + 1)) as writer:
            writer.begin()
            writer.feed(CONTENT)
            writer.feed(b"\n")
            writer.seal(len(CONTENT) + 1, "", "size")
            writer.commit()
        assert server.bodies == [CONTENT + b"\n"]


def test_a_bucket_that_stalls_amid_an_upload_for_longer_than_the_limit_to_connect_gets_the_file():
    """The limit to connect ends with the connection, which the library would apply to the body too."""
    with SlowReader(at_once=8 << 20, pause=1.0) as server, opened("s3", server, Timeouts(0.3, 20)) as far:
        writer = upload(far, CONTENT)
        writer.seal(len(CONTENT) + 1, "", "size")
        writer.commit()
        assert server.bodies == [CONTENT + b"\n"]


def test_a_bucket_that_takes_no_more_bytes_is_given_up_after_the_idle_limit():
    """The limit of an upload is that of the endpoint, whatever the limit to connect."""
    with SlowReader(at_once=1 << 20, pause=60) as server, opened("s3", server, Timeouts(20, 0.5)) as far:
        writer = upload(far, CONTENT)
        writer.seal(len(CONTENT) + 1, "", "size")
        since = Stopwatch()
        with pytest.raises(Transient):
            writer.commit()
        assert since.seconds < 10


def test_bytes_that_could_not_be_sent_can_be_dropped_while_the_error_is_kept():
    """The memory of a part is given back before anybody asks for its error."""
    near, far = socket.socketpair()
    far.close()
    content = bytearray(1 << 20)
    with near, pytest.raises(OSError) as caught:  # noqa: PT011 -- of which kind depends on the moment
        send_all(near, content)
    content.clear()
    assert caught.value.errno


def test_the_bytes_of_the_store_in_a_bucket_that_stalls_are_there(monkeypatch):
    """A part of an upload into the store is sent for longer than the limit to connect to the bucket."""
    monkeypatch.setattr(client, "_CONNECT_S", 0.3)
    with SlowReader(at_once=8 << 20, pause=1.0) as server:
        store = client.BucketClient(
            client.Bucket(name="bucket", prefix="", endpoint=server.url, key_id="an-id", secret="a-secret")
        )
        store.put("blob", CONTENT)
        assert server.bodies == [CONTENT]
