"""The filestore endpoint and the WSGI adapter, against a small store that keeps to the internal interface."""

import hashlib
import json
import os
import threading
import tracemalloc
from fnmatch import fnmatchcase
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests

from mft_common.http1.wsgi_adapter import WsgiAdapter
from mft_common.identity import Signer
from mft_common.identity_reader import IdentityReader
from mft_common.transfer import (
    BadName,
    Changed,
    Denied,
    DiskFull,
    Exists,
    FileEndpoint,
    FilestoreUpstream,
    Interrupted,
    Mismatch,
    Mover,
    NotFound,
    Patterns,
    Transient,
)

TOKEN = "0000000000000042"
TRANSFER = "414D5120514D312020202020202020203F0C71A200000017"
KEY = "a-key-of-this-test"


class _Store:
    """A filestore in a dictionary: path -> (fileset, bytes)."""

    def __init__(self, signer=None):
        self.files, self.count, self.signer, self.callers, self.answer = {}, 0, signer, [], None

    def put(self, path, content):
        self.count += 1
        self.files[path] = (self.count, content)

    def __call__(self, environ, start_response):
        identity = IdentityReader("filestore-svc", self.signer).read(environ)
        self.callers.append((identity.account, identity.transfer_id))
        kind, path = environ["PATH_INFO"].encode("latin-1").decode().removeprefix("/internal/v1/").split("/", 1)
        status, headers, body = self.answer or self.do(kind, "/" + path, environ)
        start_response(f"{status} Said", [("Content-Length", str(len(body))), *headers])
        return [body]

    def do(self, kind, path, environ):
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()}
        if kind == "folders":
            return self.list(path, query)
        fileset, content = self.files.get(path, (0, b""))
        digest = hashlib.sha256(content).hexdigest()
        if environ["REQUEST_METHOD"] == "PUT":
            length = int(environ["CONTENT_LENGTH"])
            sent = environ["wsgi.input"].read(length)
            if len(sent) != length:
                return 400, [], json.dumps({"error": "cut", "message": "the body was cut"}).encode()
            if fileset and environ["HTTP_X_IF_EXISTS"] == "fail":
                return 409, [], json.dumps({"error": "exists", "message": "exists already"}).encode()
            self.put(path, sent)
            stored = {"fileset": self.count, "size": length, "sha256": hashlib.sha256(sent).hexdigest()}
            return 201, [], json.dumps({**stored, "replaced": bool(fileset)}).encode()
        if not fileset:
            return 404, [], b'{"error": "none", "message": "no such file"}'
        if environ["REQUEST_METHOD"] == "DELETE":
            if query["fileset"] != str(fileset):
                return 409, [], b'{"error": "other", "message": "another fileset"}'
            del self.files[path]
            return 200, [], b"{}"
        return 200, [("X-Sha256", digest), ("X-Fileset", str(fileset))], content

    def list(self, folder, query):
        rows = []
        for path, (fileset, content) in sorted(self.files.items()):
            name = path.removeprefix(folder + "/")
            if fnmatchcase(name, query["pattern"]) and name > query["after"]:
                digest = hashlib.sha256(content).hexdigest()
                rows.append(
                    {
                        "path": path,
                        "name": name,
                        "fileset": fileset,
                        "size": len(content),
                        "sha256": digest,
                        "modified_at": 5,
                    }
                )
        return 200, [], json.dumps({"files": rows[: int(query["limit"])]}).encode()


class Quiet(WSGIRequestHandler):
    """Serves without a line on stderr."""

    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture(params=["in-process", "url"])
def shop(request):
    """A store and an upstream to it: once as an application of this process, once over a socket."""
    if request.param == "in-process":
        store = _Store()
        yield store, FilestoreUpstream(store)
        return
    store = _Store(Signer([KEY]))
    server = make_server("127.0.0.1", 0, store, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield store, FilestoreUpstream(f"http://127.0.0.1:{server.server_port}", Signer([KEY]))
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    """A local folder with its endpoint."""
    endpoint = FileEndpoint(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY))
    yield tmp_path, endpoint
    endpoint.close()


def test_files_go_in_and_out_as_the_account_system(shop, folder):
    """Both ways the bytes arrive whole, and each call names the account `system` and the transfer."""
    store, upstream = shop
    path, local = folder
    content = os.urandom(3_000_000)
    (path / "a%20ü.bin").write_bytes(content)
    endpoint = upstream.open("/in", TRANSFER)
    (entry,) = local.list(Patterns(["*"]))
    moved = Mover(token=TOKEN).move(local, entry, endpoint, entry.name)
    assert store.files["/in/a%20ü.bin"][1] == content
    assert (moved.sha256, moved.replaced) == (hashlib.sha256(content).hexdigest(), False)
    (listed,) = endpoint.list(Patterns(["a%*"]))
    assert (listed.size, listed.modified_at, listed.sha256) == (len(content), 5, moved.sha256)
    back = Mover(token=TOKEN).move(endpoint, listed, local, "back")
    assert (path / "back").read_bytes() == content
    endpoint.delete(back.source)
    assert not store.files
    assert set(store.callers) == {("system", TRANSFER)}
    endpoint.close()


def test_empty_files_and_existing_names(shop, folder):
    """An empty file is stored; a name that is taken is refused with `fail` and replaced without."""
    _, upstream = shop
    path, local = folder
    (path / "e").write_bytes(b"")
    endpoint = upstream.open("/in")
    (entry,) = local.list(Patterns(["e"]))
    assert Mover(token=TOKEN).move(local, entry, endpoint, "e").size == 0
    with pytest.raises(Exists):
        Mover(token=TOKEN, if_exists="fail").move(local, entry, endpoint, "e")
    assert Mover(token=TOKEN).move(local, entry, endpoint, "e").replaced
    endpoint.close()


def test_a_listing_is_read_page_by_page(shop):
    """More files than a page holds are all listed, once and in order."""
    store, upstream = shop
    for number in range(1500):
        store.put(f"/in/{number:05d}", b"x")
    endpoint = upstream.open("in")
    assert [entry.name for entry in endpoint.list(Patterns(["0*", "1*"]))] == sorted(f"{n:05d}" for n in range(1500))
    endpoint.close()


def test_a_stop_or_a_change_stores_nothing(shop, folder):
    """A transfer that is stopped in its last block, or whose source changes, never completes its request."""
    store, upstream = shop
    path, local = folder
    (path / "f").write_bytes(bytes(2 << 20))
    endpoint = upstream.open("/in")
    (entry,) = local.list(Patterns(["f"]))
    stop = threading.Event()
    stopping = Mover(token=TOKEN, interrupt=stop, progress=lambda _: stop.set(), progress_every=0.0)
    with pytest.raises(Interrupted):
        stopping.move(local, entry, endpoint, "f")
    growing = Mover(token=TOKEN, progress=lambda _: (path / "f").write_bytes(b"other") and None, progress_every=0.0)
    with pytest.raises(Changed):
        growing.move(local, entry, endpoint, "f")
    assert store.files == {}
    endpoint.close()


def test_another_content_is_not_deleted(shop):
    """What was replaced since it was read stays."""
    store, upstream = shop
    store.put("/in/a", b"one")
    endpoint = upstream.open("/in")
    (entry,) = endpoint.list(Patterns(["a"]))
    store.put("/in/a", b"two")
    with pytest.raises(Changed):
        endpoint.delete(entry)
    assert store.files["/in/a"][1] == b"two"
    endpoint.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadName),
        (403, Denied),
        (404, NotFound),
        (409, Exists),
        (507, DiskFull),
        (503, Transient),
        (500, Transient),
    ],
)
def test_refusals_say_whether_another_try_may_help(shop, status, error):
    """Each status becomes its error, with the store's own message."""
    store, upstream = shop
    store.answer = (status, [], b'{"error": "x", "message": "because"}')
    endpoint = upstream.open("/in")
    with pytest.raises(error, match="because"):
        list(endpoint.list(Patterns(["*"])))
    store.answer = (status, [], b"no json")
    with pytest.raises(error):
        list(endpoint.list(Patterns(["*"])))
    endpoint.close()


def test_a_wrong_checksum_is_not_delivered(shop, folder):
    """What filestore sends with another checksum than it says is not delivered."""
    store, upstream = shop
    path, local = folder
    store.put("/in/a", b"one")
    endpoint = upstream.open("/in")
    (entry,) = endpoint.list(Patterns(["a"]))
    store.answer = (200, [("X-Sha256", "0" * 64), ("X-Fileset", "1")], b"one")
    with pytest.raises(Mismatch):
        Mover(token=TOKEN).move(endpoint, entry, local, "a")
    assert not list(path.iterdir())
    endpoint.close()


def test_a_store_that_is_away_is_transient():
    """Nobody listening may be healed by waiting."""
    with pytest.raises(Transient):
        list(FilestoreUpstream("http://127.0.0.1:1", Signer([KEY])).open("/in").list(Patterns(["*"])))


def test_the_adapter_streams_in_constant_memory():
    """An echo of 200 MiB through requests and a WSGI application holds a few blocks, no more."""

    def echo(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return iter(lambda: environ["wsgi.input"].read(1 << 20), b"")

    session = requests.Session()
    session.mount("http://echo", WsgiAdapter(echo))
    tracemalloc.start()
    answer = session.post("http://echo/x?y=1", data=(bytes(1 << 20) for _ in range(200)), stream=True)
    assert sum(len(block) for block in answer.iter_content(1 << 20)) == 200 << 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_the_adapter_hands_over_what_was_sent():
    """All of a request and the added environment reach the application, and all of its answer comes back."""
    seen = {}

    def app(environ, start_response):
        seen.update(environ, body=environ["wsgi.input"].read())
        write = start_response("418 Teapot", [("Set-Cookie", "a=1; Path=/"), ("X-Y", "z")])
        write(b"early ")
        yield b"late"

    session = requests.Session()
    session.mount("http://pot", WsgiAdapter(app, lambda: {"extra": 7}))
    answer = session.put("http://pot/a%20b/%C3%BC?q=%7C", data=b"body", headers={"X-Custom": "v"})
    assert (answer.status_code, answer.reason, answer.text, answer.headers["X-Y"]) == (418, "Teapot", "early late", "z")
    assert answer.headers["Set-Cookie"] == "a=1; Path=/"
    assert (seen["REQUEST_METHOD"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("PUT", "/a b/\xc3\xbc", "q=%7C")
    assert (seen["body"], seen["CONTENT_LENGTH"], seen["HTTP_X_CUSTOM"], seen["extra"]) == (b"body", "4", "v", 7)
