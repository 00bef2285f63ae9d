"""HTTP servers that cut, lie, redirect, encode, and fall silent."""

import contextlib
import hashlib
import os
import random
import socket
import threading

import pytest

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import (
    AuthenticationFailed,
    BadName,
    Changed,
    Denied,
    DiskFull,
    Exists,
    Mismatch,
    OutcomeUnknown,
    TransferError,
    Transient,
    Unsupported,
)
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.http import HttpEndpoint, open_http
from mft_common.endpoints.http.connection import Connection
from mft_common.endpoints.http.redirects import kind_of
from mft_common.endpoints.targets import Target, Timeouts, parse_url
from mft_common.transfer import Mover
from tests.servers.made_secrets import secret
from tests.servers.stopwatch import Stopwatch
from tests.servers.web import Web, after_interim_answers

TOKEN = "0123456789ABCDEF"
CONTENT = random.Random(16).randbytes(300_000)
SECRET = secret("password-of-a-sick-server")


def endpoint(server, *, idle=20.0, **more):
    return open_http(
        Target(scheme="http", host="127.0.0.1", port=server.port, folder="/", timeouts=Timeouts(5, idle), **more)
    )


def read_all(reader):
    with contextlib.closing(reader):
        parts = []
        while block := reader.read(64 << 10):
            parts.append(block)
        reader.check()
        return b"".join(parts)


def fetch(far, path, reads=None):
    """Read a file as the engine does: go on where it broke, and begin anew when the endpoint says Changed."""
    content, entry = b"", Entry(path)
    for _ in range(5):
        try:
            reader = far.open(entry, len(content))
        except Changed:
            content, entry = b"", Entry(path)
            reader = far.open(entry)
        entry = reader.entry
        with contextlib.closing(reader):
            try:
                while block := reader.read(16 << 10):
                    content += block
                    if reads is not None:
                        reads.append(len(block))
                reader.check()
                return content
            except Transient:
                continue
            except Changed:
                content, entry = b"", Entry(path)
    raise AssertionError("never whole")


def put(far, path, content, *, size=None, block=64 << 10, **more):
    writer = far.writer(path, token=TOKEN, size=size, **more)
    try:
        assert writer.begin() == 0
        for at in range(0, len(content), block):
            writer.feed(content[at : at + block])
        assert writer.seal(len(content), hashlib.sha256(content).hexdigest(), "sha256")
        return writer.commit()
    finally:
        writer.abort()


def short(request):
    request.raw(200, CONTENT[:40], Content_Length="100")


def chunked_without_its_end(request):
    request.raw(200, b"28\r\n" + CONTENT[:40] + b"\r\n", Transfer_Encoding="chunked")


def chunked_cut_within_a_chunk(request):
    request.raw(200, b"64\r\n" + CONTENT[:40], Transfer_Encoding="chunked")


@pytest.mark.parametrize("respond", [short, chunked_without_its_end, chunked_cut_within_a_chunk])
def test_a_body_that_ends_before_its_end_is_never_whole(respond):
    """Too few bytes for Content-Length, and chunks without the last one, are errors that may heal (B16)."""
    with Web(respond) as server, endpoint(server) as far, pytest.raises(Transient):
        read_all(far.open(Entry("a.bin")))


def encoded(request):
    request.answer(200, b"\x1f\x8b encoded", Content_Encoding="gzip")


@pytest.mark.parametrize("respond", [short, chunked_without_its_end, chunked_cut_within_a_chunk, encoded])
def test_no_part_of_a_file_is_delivered(tmp_path, respond):
    """The engine leaves nothing under the final name and no unfinished file, whatever is wrong with the body (B16)."""
    (tmp_path / "here").mkdir()
    with (
        Web(respond) as server,
        endpoint(server) as far,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
        pytest.raises(TransferError),
    ):
        Mover(token=TOKEN, retries=2, delay=0.0).move(far, Entry("a.bin"), here, "a.bin")
    assert list((tmp_path / "here").iterdir()) == []


def test_an_encoded_body_is_refused():
    """A body of gzip although identity was asked for: its length and bytes are not those of the file (B16)."""

    def respond(request):
        assert request.headers["Accept-Encoding"] == "identity"
        request.answer(200, b"\x1f\x8b encoded", Content_Encoding="gzip")

    with Web(respond) as server, endpoint(server) as far, pytest.raises(Unsupported, match="gzip"):
        far.open(Entry("a.bin"))


def test_a_body_that_only_the_close_ends_is_refused():
    """A whole file could not be told from a cut one."""
    with (
        Web(lambda request: request.raw(200, CONTENT)) as server,
        endpoint(server) as far,
        pytest.raises(Unsupported, match="size"),
    ):
        far.open(Entry("a.bin"))


def test_a_chunked_body_is_read_to_its_last_chunk():
    """The size is not known before, and the file is whole nevertheless."""

    def respond(request):
        if request.command == "HEAD":
            request.answer(405)
            return
        request.raw(200, b"5\r\nwhole\r\n6\r\n file.\r\n0\r\n\r\n", Transfer_Encoding="chunked")

    with Web(respond) as server, endpoint(server) as far:
        reader = far.open(Entry("a.bin"))
        assert reader.entry.size is None
        assert read_all(reader) == b"whole file."


class CutOnce:
    """Sends half of a file once, and answers the request for the rest in one of several wrong ways."""

    def __init__(self, after, etag='"first"'):
        self.after = after
        self.etag = etag
        self.content = CONTENT
        self.was_cut = False
        self.sent = 0

    def __call__(self, request):
        if request.command == "HEAD":
            request.answer(200, self.content, ETag=self.etag)
        elif not self.was_cut:
            self.was_cut = True
            half = CONTENT[: len(CONTENT) // 2]
            request.raw(200, half, Content_Length=str(len(CONTENT)), ETag=self.etag)
            self.sent += len(half)
        else:
            self.after(self, request)

    def whole(self, request):
        request.answer(200, self.content, ETag=self.etag)

    def range_from(self, request, start, *, etag=None, told=None):
        body = self.content[start:]
        told = start if told is None else told
        size = len(self.content)
        request.answer(206, body, ETag=etag or self.etag, Content_Range=f"bytes {told}-{size - 1}/{size}")
        self.sent += len(body)


def asked_from(request):
    text = request.headers.get("Range", "")
    return int(text.removeprefix("bytes=").rstrip("-")) if text else None


def goes_on(server, request):
    assert request.headers["If-Range"] == '"first"'
    server.range_from(request, asked_from(request))


def ignores_the_range(server, request):
    server.whole(request)


def begins_elsewhere(server, request):
    start = asked_from(request)
    if start is None:
        server.whole(request)
    else:
        server.range_from(request, 0)


def begins_a_byte_before(server, request):
    start = asked_from(request)
    if start is None:
        server.whole(request)
    else:
        server.range_from(request, start - 1)


def sends_another_version_as_a_range(server, request):
    server.content = CONTENT[::-1]
    server.etag = '"second"'
    start = asked_from(request)
    if start is None:
        server.whole(request)
    else:
        server.range_from(request, start)


def sends_another_version(server, request):
    server.content = CONTENT[::-1]
    server.etag = '"second"'
    server.whole(request)


@pytest.mark.parametrize(
    "after",
    [
        goes_on,
        ignores_the_range,
        begins_elsewhere,
        begins_a_byte_before,
        sends_another_version_as_a_range,
        sends_another_version,
    ],
)
def test_a_resumed_file_is_one_version_whole(after):
    """Bytes are appended for a 206 of the same ETag from exactly there on; else the file begins anew (B17)."""
    respond = CutOnce(after)
    with Web(respond) as server, endpoint(server) as far:
        content = fetch(far, "a.bin")
        assert hashlib.sha256(content).hexdigest() == hashlib.sha256(respond.content).hexdigest()
    if after is goes_on:
        assert respond.sent <= len(CONTENT) * 1.1


@pytest.mark.parametrize(
    "after",
    [
        goes_on,
        ignores_the_range,
        begins_elsewhere,
        begins_a_byte_before,
        sends_another_version_as_a_range,
        sends_another_version,
    ],
)
def test_a_resumed_move_delivers_one_version_whole(tmp_path, after):
    """The engine's second try goes on or begins anew, and the SHA-256 is right each time (B17)."""
    (tmp_path / "here").mkdir()
    respond = CutOnce(after)
    with (
        Web(respond) as server,
        endpoint(server) as far,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
    ):
        moved = Mover(token=TOKEN, retries=3, delay=0.0, checkpoint_every=0.0).move(far, Entry("a.bin"), here, "a.bin")
    assert (tmp_path / "here" / "a.bin").read_bytes() == respond.content
    assert moved.source.sha256 == hashlib.sha256(respond.content).hexdigest()


@pytest.mark.parametrize("etag", ['W/"first"', ""])
def test_a_weak_etag_is_nothing_to_go_on_with(etag):
    """Two files may have one weak ETag: the file is read from its first byte, without a range."""
    respond = CutOnce(ignores_the_range, etag)
    with Web(respond) as server, endpoint(server) as far:
        assert fetch(far, "a.bin") == CONTENT
        assert not any("Range" in request.headers for request in server.requests)


def test_a_file_that_changes_while_it_is_read_is_changed():
    """The same name with another ETag after the last byte: what was read may be neither version."""
    versions = iter(['"first"', '"second"'])
    with (
        Web(lambda request: request.answer(200, CONTENT, ETag=next(versions))) as server,
        endpoint(server) as far,
        pytest.raises(Changed),
    ):
        read_all(far.open(Entry("a.bin")))


def cut_at(request, count):
    """Answer a GET with its Range, and close after `count` bytes of the body."""
    if request.command == "HEAD":
        request.answer(200, CONTENT, ETag='"v"')
        return
    start = asked_from(request) or 0
    body = CONTENT[start:]
    size = len(CONTENT)
    more = {"Content_Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
    request.raw(206 if start else 200, body[:count], Content_Length=str(len(body)), ETag='"v"', **more)


def test_fifty_cuts_at_random_bytes():
    """A source that is cut anywhere gives the right bytes, and fewer than a tenth of them twice."""
    seed = int(os.environ.get("TEST_SEED", "17"))
    chance = random.Random(seed)
    for _ in range(50):
        cuts = [chance.randrange(len(CONTENT))]

        def respond(request, cuts=cuts):
            cut_at(request, cuts.pop() if cuts and request.command == "GET" else len(CONTENT))

        with Web(respond) as server, endpoint(server) as far:
            reads = []
            assert fetch(far, "a.bin", reads) == CONTENT, f"seed {seed}"
            assert sum(reads) < len(CONTENT) * 1.1


def test_a_server_that_accepts_and_never_answers_times_out():
    """The idle limit holds for the answer, and for the next bytes of a body (E37)."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        since = Stopwatch()
        far = open_http(
            Target(scheme="http", host="127.0.0.1", port=silent.getsockname()[1], folder="/", timeouts=Timeouts(5, 0.3))
        )
        with far, pytest.raises(Transient):
            far.stat("a.bin")
        writer = far.writer("a.bin", token=TOKEN, size=3)
        writer.feed(b"abc")
        writer.seal(3, hashlib.sha256(b"abc").hexdigest(), "sha256")
        with pytest.raises(Transient):
            writer.commit()
        assert since.seconds < 5


def test_a_body_that_stops_times_out():
    """Half a file and then nothing, on an open connection."""
    over = threading.Event()

    def respond(request):
        request.raw(200, CONTENT[:1000], Content_Length=str(len(CONTENT)))
        over.wait(20)

    with Web(respond) as server, endpoint(server, idle=0.3) as far:
        try:
            with pytest.raises(Transient):
                read_all(far.open(Entry("a.bin")))
        finally:
            over.set()


def test_a_slow_body_is_read_to_its_end():
    """There is no limit on the whole time: bytes that come within the idle limit are enough."""

    def respond(request):
        if request.command == "HEAD":
            request.answer(405)
            return
        request.raw(200, Content_Length="20")
        pause = threading.Event()
        for number in range(20):
            request.wfile.write(b"%d" % (number % 10))
            pause.wait(0.05)

    with Web(respond) as server, endpoint(server, idle=0.4) as far:
        assert read_all(far.open(Entry("a.bin"))) == b"01234567890123456789"


def redirecting(location, status=302):
    return lambda request: request.answer(status, Location=location)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_follow_no_redirect_to_another_host(status):
    """The other host is not even asked."""
    with (
        Web(lambda request: request.answer(200, CONTENT)) as other,
        Web(redirecting(f"{other.url}/a.bin", status)) as server,
        endpoint(server, user="joe", password=SECRET) as far,
    ):
        for call in (far.stat, lambda path: far.open(Entry(path))):
            with pytest.raises(Denied, match="credentials") as caught:
                call("a.bin")
            assert SECRET not in str(caught.value)
        assert not other.requests
        assert server.requests[0].headers["Authorization"].startswith("Basic ")


def test_interim_answers_of_the_place_that_a_redirect_names_are_skipped():
    """The connections to where redirects lead are others than those to the endpoint."""
    with (
        Web(after_interim_answers(lambda request: request.answer(200, CONTENT))) as away,
        Web(redirecting(f"{away.url}/b")) as server,
        endpoint(server, redirects=(f"127.0.0.1:{away.port}",)) as far,
    ):
        assert fetch(far, "a") == CONTENT


def test_a_redirect_within_the_endpoint_is_asked_for_by_its_path():
    """A location at the endpoint's own origin is found in whatever spelling, with its query and the credentials."""

    def respond(request):
        if request.path == "/a.bin":
            request.answer(302, Location=f"http://127.0.0.1:0{server.port}/b.bin?v=1")
        else:
            request.answer(200, CONTENT)

    with Web(respond) as server, endpoint(server, user="joe", password=SECRET) as far:
        assert read_all(far.open(Entry("a.bin"))) == CONTENT
        assert [request.path for request in server.requests[:2]] == ["/a.bin", "/b.bin?v=1"]
        assert server.requests[1].headers["Authorization"].startswith("Basic ")


def test_a_redirect_without_credentials_is_followed():
    """An address that moved is found; names and passwords in its location are not used."""
    with (
        Web(lambda request: request.answer(200, CONTENT)) as other,
        Web(redirecting(f"http://u:p@127.0.0.1:{other.port}/b.bin")) as server,
        endpoint(server, redirects=(f"127.0.0.1:{other.port}",)) as far,
    ):
        assert read_all(far.open(Entry("a.bin"))) == CONTENT
        assert other.requests[0].path == "/b.bin"
        assert "Authorization" not in other.requests[0].headers


@pytest.mark.parametrize(
    ("redirects", "host"),
    [((), "127.0.0.1"), (("127.0.0.2",), "127.0.0.2"), (("*",), "127.0.0.1"), (("127.0.0.2:{port}",), "127.0.0.1")],
)
def test_a_redirect_to_a_place_that_is_not_named_is_refused(redirects, host):
    """Another host, and another port of a named one, are not asked: a redirect chooses no server of the network."""
    with (
        Web(lambda request: request.answer(200, CONTENT), host=host) as other,
        Web(redirecting(f"http://{host}:{other.port}/b.bin")) as server,
        endpoint(server, redirects=tuple(each.format(port=other.port) for each in redirects)) as far,
    ):
        for call in (far.stat, lambda path: far.open(Entry(path))):
            with pytest.raises(Denied, match="redirects"):
                call("a.bin")
        assert not other.requests


def test_credentials_follow_no_redirect_to_a_named_host_nor_back():
    """The named host is asked without them; where it redirects back to the endpoint, that is asked without them too."""

    def away(request):
        request.answer(302, Location=f"{server.url}/c.bin") if request.path == "/b.bin" else request.answer(404)

    def respond(request):
        if request.path == "/a.bin":
            request.answer(302, Location=f"http://127.0.0.2:{other.port}/b.bin")
        else:
            request.answer(200, CONTENT)

    with (
        Web(away, host="127.0.0.2") as other,
        Web(respond) as server,
        endpoint(server, user="joe", password=SECRET, redirects=(f"127.0.0.2:{other.port}",)) as far,
    ):
        assert read_all(far.open(Entry("a.bin"))) == CONTENT
        assert "Authorization" in server.requests[0].headers
        assert not any("Authorization" in each.headers for each in (*other.requests, server.requests[1]))


KINDS = {"127.0.0.1": "public", "127.0.0.2": "private", "127.0.0.3": "link-local", "127.0.0.4": "unusable"}


@pytest.mark.parametrize("first", ["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize("second", ["127.0.0.2", "127.0.0.3", "127.0.0.4"])
def test_a_redirect_leads_to_no_address_inside_a_network(first, second):
    """Each loopback address stands for one of a kind: a named host is asked if the endpoint has addresses of its kind.

    No connection is made to the others.
    """
    with (
        Web(lambda request: request.answer(200, CONTENT), host=second) as other,
        Web(redirecting(f"http://{second}:{other.port}/b.bin"), host=first) as server,
    ):
        target = Target(scheme="http", host=first, port=server.port, folder="/", redirects=(f"*:{other.port}",))
        with HttpEndpoint(Connection(target, KINDS.__getitem__)) as far:
            if first == second:
                assert read_all(far.open(Entry("a.bin"))) == CONTENT
                return
            for call in (far.stat, lambda path: far.open(Entry(path))):
                with pytest.raises(Denied, match="inside a network"):
                    call("a.bin")
        assert not other.requests
        assert not other.connections


def test_the_address_that_was_checked_is_connected_to(monkeypatch):
    """A name that has a public address when it is asked for, and another one a moment later, leads nowhere else."""
    answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.2"])
    real = socket.getaddrinfo

    def resolve(host, *arguments, **more):
        return real(next(answers) if host == "changing.test" else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with (
        Web(lambda request: request.answer(200, CONTENT)) as other,
        Web(redirecting(f"http://changing.test:{other.port}/b.bin")) as server,
    ):
        target = Target(
            scheme="http", host="127.0.0.1", port=server.port, folder="/", redirects=(f"*.test:{other.port}",)
        )
        with HttpEndpoint(Connection(target, KINDS.__getitem__)) as far:
            with contextlib.closing(far.open(Entry("a.bin"))) as reader:
                assert reader.read(1000) == CONTENT[:1000]
            with pytest.raises(Denied):
                far.stat("a.bin")
        assert len(other.requests) == 1


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("93.184.215.14", "public"),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "public"),
        ("127.8.9.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("fd00::1", "private"),
        ("0.0.0.0", "unusable"),
        ("::", "unusable"),
        ("224.0.0.1", "unusable"),
        ("no address", "unusable"),
    ],
)
def test_from_where_an_address_can_be_reached(address, kind):
    """IPv4 inside IPv6 counts as itself, however it is written."""
    assert kind_of(address) == kind


def test_a_name_that_is_no_host_does_not_heal():
    """A label of 64 letters: no lookup takes it, for reading or writing."""
    far = open_http(Target(scheme="http", host=f"{'a' * 64}.test", port=80, folder="/"))
    with far:
        with pytest.raises(BadName):
            far.stat("a.bin")
        with pytest.raises(BadName):
            put(far, "a.bin", b"abc", size=3)


def test_a_redirect_on_the_same_host_keeps_the_credentials():
    """A path of the same server is the same server."""

    def respond(request):
        if request.path == "/a.bin":
            request.answer(302, Location="/b.bin")
        else:
            request.answer(200 if request.headers.get("Authorization") else 401, CONTENT)

    with Web(respond) as server, endpoint(server, user="joe", password=SECRET) as far:
        assert read_all(far.open(Entry("a.bin"))) == CONTENT


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_out_of_the_web_is_refused(location):
    """Only http and https are followed."""
    with Web(redirecting(location)) as server, endpoint(server) as far, pytest.raises(Denied):
        far.stat("a.bin")


def test_a_circle_of_redirects_ends():
    """Ten of them are enough."""
    with Web(redirecting("/a.bin")) as server, endpoint(server) as far, pytest.raises(Unsupported):
        far.stat("a.bin")


class Keeper:
    """Keeps what is PUT, and answers GET and HEAD with it, unless it is `blind`: then with 403.

    The answers to the next `lost` PUTs are lost; these are carried out after `late` more GETs.
    """

    def __init__(self, *, lost=0, told=0, put_status=201, blind=False, late=0):
        self.files = {}
        self.late = late
        self.waiting = {}
        self.blind = blind
        self.puts = 0
        self.lost = lost
        self.told = told
        self.put_status = put_status

    def __call__(self, request):
        if request.command == "PUT":
            if request.headers.get("If-None-Match") == "*" and request.path in self.files:
                request.body()
                request.answer(412)
                return
            body = request.body()
            self.puts += 1
            if self.lost:
                self.lost -= 1
                (self.waiting if self.late else self.files)[request.path] = body
                return
            self.files[request.path] = body
            request.answer(self.put_status)
        elif self.blind:
            request.answer(403)
        elif request.path not in self.files:
            request.answer(404)
            self.late -= request.command == "GET"
            if not self.late:
                self.files.update(self.waiting)
        else:
            body = self.files[request.path]
            length = {"Content_Length": str(len(body) + self.told)} if request.command == "HEAD" else {}
            request.answer(200, body, ETag=f'"{hashlib.md5(body).hexdigest()}"', **length)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("content", [b"", b"x", CONTENT])
def test_an_upload_arrives_as_it_was(declared, content):
    """Of known length or in chunks, empty, of one block or several."""
    keeper = Keeper()
    with Web(keeper) as server, endpoint(server) as far:
        stored = put(far, "a.bin", content, size=len(content) if declared else None)
    assert keeper.files == {"/a.bin": content}
    assert (stored.size, stored.replaced) == (len(content), False)


@pytest.mark.parametrize("if_exists", ["replace", "fail"])
def test_interim_answers_are_skipped(if_exists):
    """A request whose answer comes after them has not failed: a file that was stored is not sent again."""
    keeper = Keeper()
    with Web(after_interim_answers(keeper)) as server, endpoint(server) as far:
        stored = put(far, "a.bin", CONTENT, size=len(CONTENT), if_exists=if_exists)
        assert far.stat("a.bin").size == len(CONTENT)
        assert fetch(far, "a.bin") == CONTENT
    assert (keeper.puts, stored.size, stored.warning) == (1, len(CONTENT), "")


@pytest.mark.parametrize("if_exists", ["replace", "fail"])
@pytest.mark.parametrize("content", [b"x", CONTENT])
def test_an_unanswered_commit_is_found_not_repeated(content, if_exists):
    """The server stored the file, and its answer was lost: reading it back shows that it is there."""
    keeper = Keeper(lost=1)
    with Web(keeper) as server, endpoint(server) as far:
        writer = far.writer("a.bin", token=TOKEN, size=len(content), if_exists=if_exists)
        writer.begin()
        for at in range(0, len(content), 64 << 10):
            writer.feed(content[at : at + (64 << 10)])
        writer.seal(len(content), hashlib.sha256(content).hexdigest(), "sha256")
        with pytest.raises(Transient):
            writer.commit()
        assert writer.commit().size == len(content)
        assert keeper.puts == 1
        assert writer.abort() is not None


def test_an_unanswered_commit_is_found_by_an_abort():
    """The engine then knows that the file was delivered."""
    with Web(Keeper(lost=1)) as server, endpoint(server) as far:
        writer = far.writer("a.bin", token=TOKEN)
        writer.begin()
        writer.feed(b"abc")
        writer.seal(3, hashlib.sha256(b"abc").hexdigest(), "sha256")
        with pytest.raises(Transient):
            writer.commit()
        assert writer.abort().size == 3


def sealed(far, path, content, **more):
    """Return a writer whose next step is the commit."""
    writer = far.writer(path, token=TOKEN, size=len(content), **more)
    writer.begin()
    for at in range(0, len(content), 64 << 10):
        writer.feed(content[at : at + (64 << 10)])
    writer.seal(len(content), hashlib.sha256(content).hexdigest(), "sha256")
    return writer


@pytest.mark.parametrize("content", [b"x", CONTENT])
def test_an_exclusive_commit_that_cannot_be_looked_for_has_no_known_outcome(content):
    """The answer got lost, reading is refused, and 412 may be because of our own file: `Exists` would be a guess."""
    keeper = Keeper(lost=1, blind=True)
    with Web(keeper) as server, endpoint(server) as far:
        writer = sealed(far, "a.bin", content, if_exists="fail")
        with pytest.raises(Transient):
            writer.commit()
        for call in (writer.commit, writer.abort):
            with pytest.raises(OutcomeUnknown, match=r"a\.bin"):
                call()
    assert keeper.puts == 1


@pytest.mark.parametrize("content", [b"x", CONTENT])
def test_the_engine_sends_a_file_of_unknown_outcome_once(tmp_path, content):
    """No further try follows: it would be refused because of the first, or deliver the file twice."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.bin").write_bytes(content)
    keeper = Keeper(lost=1, blind=True)
    mover = Mover(token=TOKEN, if_exists="fail", retries=3, delay=0.0)
    with (
        Web(keeper) as server,
        endpoint(server) as far,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        mover.move(here, here.stat("a.bin"), far, "a.bin")
    assert caught.value.tries == 2
    assert keeper.puts == 1


@pytest.mark.parametrize(("content", "late"), [(b"x", 1), (CONTENT * 8, 1), (CONTENT * 8, 2)])
def test_a_commit_that_is_carried_out_late_is_not_reported_as_the_file_of_another(tmp_path, content, late):
    """The first look found nothing; where the next one does not either, a file that is there then may be ours."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.bin").write_bytes(content)
    keeper = Keeper(lost=1, late=late)
    mover = Mover(token=TOKEN, if_exists="fail", retries=3, delay=0.0)
    with (
        Web(keeper) as server,
        endpoint(server) as far,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
        contextlib.nullcontext() if late == 1 else pytest.raises(OutcomeUnknown, match=r"a\.bin"),
    ):
        mover.move(here, here.stat("a.bin"), far, "a.bin")
    assert (keeper.puts, keeper.files) == (1, {"/a.bin": content})


def test_a_guard_that_refuses_hides_no_unknown_outcome(tmp_path):
    """The answer got lost and nobody may look: a refusal of the next try does not tell that the file is not there."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.bin").write_bytes(b"x")
    keeper, asked = Keeper(lost=1, blind=True), []

    def guard():
        asked.append(keeper.puts)
        if len(asked) > 1:
            raise ConnectionRefusedError

    mover = Mover(token=TOKEN, if_exists="fail", retries=3, delay=0.0, guard=guard)
    with (
        Web(keeper) as server,
        endpoint(server) as far,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        mover.move(here, here.stat("a.bin"), far, "a.bin")
    assert (caught.value.tries, asked) == (2, [0, 1])


def test_a_commit_that_is_never_answered_has_no_known_outcome(tmp_path):
    """The server takes the file and falls silent: when the tries are over, the file may be there."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.bin").write_bytes(b"x")
    keeper = Keeper(lost=9, blind=True)
    mover = Mover(token=TOKEN, if_exists="fail", retries=0, delay=0.0)
    with (
        Web(keeper) as server,
        endpoint(server) as far,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
        pytest.raises(OutcomeUnknown),
    ):
        mover.move(here, here.stat("a.bin"), far, "a.bin")


@pytest.mark.parametrize("content", [b"x", CONTENT])
def test_a_replacement_that_cannot_be_looked_for_is_sent_again(tmp_path, content):
    """A file that may be replaced is whole after the second try, whatever became of the first."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.bin").write_bytes(content)
    keeper = Keeper(lost=1, blind=True)
    with (
        Web(keeper) as server,
        endpoint(server) as far,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
    ):
        Mover(token=TOKEN, retries=3, delay=0.0).move(here, here.stat("a.bin"), far, "a.bin")
    assert keeper.files == {"/a.bin": content}


@pytest.mark.parametrize("blind", [True, False])
def test_the_file_of_another_is_no_unknown_outcome(blind):
    """Where no answer was lost, 412 means that a file was there before."""
    keeper = Keeper(blind=blind)
    keeper.files["/a.bin"] = b"another"
    with Web(keeper) as server, endpoint(server) as far, pytest.raises(Exists):
        sealed(far, "a.bin", b"x", if_exists="fail").commit()
    assert keeper.files == {"/a.bin": b"another"}


def test_a_request_that_was_not_sent_has_a_known_outcome():
    """A server that is away when the commit comes has not got the file: another attempt may deliver it."""
    with contextlib.ExitStack() as running:
        server = running.enter_context(Web(Keeper(blind=True)))
        with endpoint(server) as far:
            writer = sealed(far, "a.bin", b"x", if_exists="fail")
            running.close()
            with pytest.raises(Transient):
                writer.commit()
            assert writer.abort() is None


def test_a_server_that_has_another_size_than_was_sent_is_no_success():
    """It answered 201, and tells another size afterwards."""
    with Web(Keeper(told=7)) as server, endpoint(server) as far, pytest.raises(Mismatch):
        put(far, "a.bin", CONTENT)


def test_nothing_is_complete_before_the_commit():
    """A server that waits for the end of the request cannot show the file before."""
    keeper = Keeper()
    with Web(keeper) as server, endpoint(server) as far:
        writer = far.writer("a.bin", token=TOKEN, size=len(CONTENT))
        writer.begin()
        for at in range(0, len(CONTENT), 64 << 10):
            writer.feed(CONTENT[at : at + (64 << 10)])
        writer.seal(len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "sha256")
        assert writer.abort() is None
        with pytest.raises(TransferError):
            far.stat("a.bin")
    assert keeper.puts == 0


def test_a_refusal_before_the_end_of_the_body_names_its_reason():
    """A server that answers 507 and closes while bytes are sent is not just a broken connection."""

    def respond(request):
        request.rfile.read(1000)
        request.answer(507)

    with Web(respond) as server, endpoint(server) as far, pytest.raises(DiskFull):
        put(far, "a.bin", CONTENT * 100, size=len(CONTENT) * 100)


def feed_and_commit(writer, times):
    for _ in range(times):
        writer.feed(CONTENT)
    writer.seal(len(CONTENT) * times, "", "size")
    writer.commit()


@pytest.mark.parametrize("count", [0, 1, 1000, 150_000])
def test_an_upload_that_is_cut_is_transient(count):
    """The connection breaks after that many bytes of the body."""

    def respond(request):
        request.rfile.read(count)

    with Web(respond) as server, endpoint(server) as far:
        writer = far.writer("a.bin", token=TOKEN, size=len(CONTENT) * 40)
        with pytest.raises(Transient):
            feed_and_commit(writer, 40)


def test_an_upload_is_not_redirected():
    """The bytes went to the server that redirects, and must not go elsewhere."""
    with (
        Web(Keeper()) as other,
        Web(lambda request: (request.body(), request.answer(307, Location=f"{other.url}/a.bin"))) as server,
        endpoint(server) as far,
    ):
        with pytest.raises(Unsupported, match="redirects"):
            put(far, "a.bin", b"abc")
        assert not other.requests


def test_a_file_that_came_meanwhile_is_not_replaced():
    """Between the look and the upload another file of that name appeared: the server's own condition holds."""
    keeper = Keeper()
    with Web(keeper) as server, endpoint(server) as far:
        writer = far.writer("a.bin", token=TOKEN, size=3, if_exists="fail")
        writer.begin()
        keeper.files["/a.bin"] = b"other"
        writer.feed(b"abc")
        writer.seal(3, hashlib.sha256(b"abc").hexdigest(), "sha256")
        with pytest.raises(Exists):
            writer.commit()
        assert writer.abort() is None
        with pytest.raises(Exists):
            far.writer("a.bin", token=TOKEN, if_exists="fail").begin()
    assert keeper.files == {"/a.bin": b"other"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AuthenticationFailed),
        (403, Denied),
        (413, DiskFull),
        (500, Transient),
        (503, Transient),
        (405, Unsupported),
    ],
)
def test_statuses_say_whether_waiting_heals(status, error):
    """Each status of a PUT and of a GET becomes one class of error, and its text holds no password."""
    with (
        Web(lambda request: (request.body(), request.answer(status))) as server,
        endpoint(server, user="joe", password=SECRET) as far,
    ):
        for call in (lambda: put(far, "a.bin", b"abc"), lambda: far.open(Entry("a.bin"))):
            with pytest.raises(error) as caught:
                call()
            assert caught.type is error
            assert SECRET not in str(caught.value)


def test_what_http_cannot_do_is_refused():
    """Each call that the features do not name says so."""
    with Web(Keeper()) as server, endpoint(server) as far:
        calls = (
            lambda: list(far.list(None)),
            lambda: far.delete(Entry("a"), token=TOKEN),
            lambda: far.rename("a", "b"),
            lambda: far.make_folder("a"),
        )
        for call in calls:
            with pytest.raises(Unsupported):
                call()
        assert far.sweep(TOKEN, ("a",)) == ()
